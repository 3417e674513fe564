/* Handler `exec`.
 *
 * A command is over when its process has ended. Then what it left behind is killed, so that nothing
 * of the job runs on when the answer is out, and what is still in its pipes is taken. The end of
 * file of the pipes is not waited for: a process that the worker may not kill could hold them open.
 */
#include "daemon/worker/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/worker/bell.h"
#include "daemon/worker/exec_reap.h"
#include "daemon/worker/exec_spawn.h"
#include "daemon/worker/exec_spec.h"
#include "daemon/worker/exec_stream.h"
#include "daemon/worker/values.h"
#include "proto/shm.h"

/* What the result takes besides the streams. */
#define RESULT_BYTES 1024u
/* Reads of 64 KiB: a pipe holds at most 1 MiB unless root made it larger. */
#define DRAIN_READS 64u

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127

enum { OUT, ERR, N_STREAMS };

struct command {
	poold_job *job;
	struct exec_spec *spec;
	struct exec_child child;
	struct exec_stream streams[N_STREAMS];
	bool is_told_to_end;
	int status; /* of wait() */
	struct rusage usage;
};

static uint64_t output_bytes;
static struct exec_spec spec;

/* How many bytes more of a stream are kept: the pool's limit for each, the job's for both together.
 */
static size_t room(const struct command *c, const struct exec_stream *s)
{
	uint64_t kept = c->streams[OUT].len + c->streams[ERR].len, max = c->job->max_result;
	uint64_t left = max - kept, own = output_bytes - s->len;

	if (max != UINT64_MAX)
		left = max > RESULT_BYTES + kept ? max - RESULT_BYTES - kept : 0;
	return (size_t)(own < left ? own : left);
}

/* From the beginning of fds[1 …]; stops early only on failure. */
static int read_ready(struct command *c, const struct pollfd *fds)
{
	int r = 0;

	for (unsigned i = 0; i < N_STREAMS && r == 0; i++) {
		struct exec_stream *s = &c->streams[i];

		if (s->pipe >= 0 && fds[i].revents)
			r = exec_stream_read(s, c->job, room(c, s));
	}
	return r;
}

/* Soft: the command may clean up; the daemon kills this worker when the grace is over. */
static void pass_bell_on(struct command *c)
{
	if (c->is_told_to_end) {
		bell_rang(); /* heard, so that the wait does not end at once */
	} else if (poold_job_cancelled(c->job)) {
		c->is_told_to_end = true;
		kill(-c->child.pid, SIGTERM);
		if (c->spec->has_ctty)
			kill(-c->child.pid, SIGHUP); /* shells at a terminal heed no SIGTERM */
		kill(-c->child.pid, SIGCONT);	     /* one that was stopped is to hear it too */
	}
}

static void pass_signals_on(struct command *c)
{
	uint64_t mask;

	for (mask = bell_passed(c->job->id); mask; mask &= mask - 1)
		kill(-c->child.pid, __builtin_ctzll(mask) + 1);
}

/* The worker holds the command's ends of the pipes too: so an end of file, which comes while the
 * command is still on its way out, does not wake it. */
static int await_end(struct command *c)
{
	int r;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = c->child.pidfd, .events = POLLIN},
			{.fd = c->streams[OUT].pipe, .events = POLLIN},
			{.fd = c->streams[ERR].pipe, .events = POLLIN},
		};

		pass_bell_on(c);
		pass_signals_on(c);
		r = bell_poll(fds, ARRAY_SIZE(fds), BELL_FOREVER);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		r = read_ready(c, fds + 1);
		if (r < 0 || fds[0].revents)
			return r;
	}
}

static int drain(struct command *c)
{
	int r;

	for (unsigned i = 0; i < N_STREAMS; i++)
		if (!c->streams[i].is_own)
			exec_stream_close_end(&c->streams[i]);
	for (unsigned i = 0; i < DRAIN_READS; i++) {
		struct pollfd fds[] = {
			{.fd = c->streams[OUT].pipe, .events = POLLIN},
			{.fd = c->streams[ERR].pipe, .events = POLLIN},
		};

		r = poll(fds, ARRAY_SIZE(fds), 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0 || !((fds[0].revents | fds[1].revents) & POLLIN))
			return r < 0 ? -errno : 0;
		r = read_ready(c, fds);
		if (r < 0)
			return r;
	}
	return 0;
}

static void reap(struct command *c)
{
	while (wait4(c->child.pid, &c->status, 0, &c->usage) < 0 && errno == EINTR)
		;
	exec_reap();
	c->child.pidfd = fd_close(c->child.pidfd);
	meter_set_rusage(&c->job->meter, &c->usage);
}

/* A worker that cannot go on with a command leaves nothing of it. */
static void abandon(struct command *c)
{
	kill(-c->child.pid, SIGKILL);
	reap(c);
}

/* A sealed memfd is a value, and read from its beginning; any other file is the client's own, and
 * passed on as it is. */
static int open_stdin(struct command *c, int *ret)
{
	int own, r;
	size_t n;

	if (cursor_at_end(&c->spec->stdin))
		return 0;
	own = values_named_fd(c->job, c->spec->stdin);
	if (own >= 0 && shm_check(own, SIZE_MAX, &n) > 0) {
		*ret = fcntl(own, F_DUPFD_CLOEXEC, 3);
		return *ret < 0 ? -errno : 0;
	}
	r = values_open_bytes(c->job, c->spec->stdin);
	if (r >= 0) {
		*ret = r;
		return 0;
	}
	if (r == -EINVAL || r == -EBADF || r == -ENOENT)
		return poold_job_fail(c->job, "bad_request",
			"stdin: neither a byte string nor a file descriptor (ext 1)");
	return r;
}

static int open_streams(struct command *c, int *ret_in)
{
	int r = open_stdin(c, ret_in);

	for (unsigned i = 0; i < N_STREAMS && r == 0; i++) {
		if (cursor_at_end(&c->spec->out[i]))
			r = exec_stream_open(&c->streams[i]);
		else
			r = exec_stream_open_own(
				&c->streams[i], values_named_fd(c->job, c->spec->out[i]));
	}
	return r;
}

static bool has_own(const struct command *c)
{
	size_t n;
	int in = values_named_fd(c->job, c->spec->stdin);

	return c->streams[OUT].is_own || c->streams[ERR].is_own ||
	       (in >= 0 && shm_check(in, SIZE_MAX, &n) > 0);
}

/* The command alone has its client's files now: a pipe that it closes is at its end, and one whose
 * reader is gone breaks. */
static int let_go(struct command *c)
{
	struct link *l = c->job->link;
	struct bufpack p;

	values_close_fds(c->job);
	for (unsigned i = 0; i < N_STREAMS; i++)
		if (c->streams[i].is_own)
			exec_stream_close_end(&c->streams[i]);
	bufpack_init(&p, &l->out);
	rpc_pack_notification(&p, "taken");
	bufpack_array(&p, 1);
	bufpack_uint(&p, c->job->id);
	return bufpack_error(&p) < 0 ? bufpack_error(&p) : link_flush(l, 0);
}

static int start(struct command *c)
{
	cleanup_fd int in = -1;
	int r;

	r = open_streams(c, &in);
	if (r < 0)
		return r;
	return exec_spawn(
		c->spec, (int[]){in, c->streams[OUT].end, c->streams[ERR].end}, &c->child);
}

/* What a shell says and gives when a command cannot be started. */
static int tell_not_started(struct command *c)
{
	int error = c->child.failure->error;
	const char *name = c->spec->argv[0];
	char text[512];

	if (error == ENOENT && !strchr(name, '/'))
		snprintf(text, sizeof(text), "poold: %.400s: command not found\n", name);
	else
		snprintf(text, sizeof(text), "poold: %.400s: %s\n", name, strerror(error));
	c->status = W_EXITCODE(
		error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, 0);
	return exec_stream_add(&c->streams[ERR], c->job, text, room(c, &c->streams[ERR]));
}

/* 0: the command ran, or tried to. */
static int check_start(struct command *c)
{
	const struct exec_failure *f = c->child.failure;

	if (f->error == 0)
		return 0;
	switch (f->step) {
	case EXEC_STEP_EXEC: return tell_not_started(c);
	case EXEC_STEP_CTTY:
		return poold_job_fail(c->job, "bad_request", "ctty: %s",
			f->error == ENOTTY ? "none of its standard fds is a terminal"
					   : strerror(f->error));
	case EXEC_STEP_CWD:
		return poold_job_fail(
			c->job, "bad_request", "cwd: %.400s: %s", c->spec->cwd, strerror(f->error));
	case EXEC_STEP_NICE:
		return poold_job_fail(
			c->job, "bad_request", "nice: %d: %s", c->spec->nice, strerror(f->error));
	case EXEC_STEP_LIMIT:
		return poold_job_fail(c->job, "bad_request", "limits: %s: %s",
			c->spec->limits[f->limit].name, strerror(f->error));
	case EXEC_STEP_SET_UP: break;
	}
	return -f->error;
}

static void pack_float(struct bufpack *p, const char *key, const struct timeval *tv)
{
	bufpack_text(p, key);
	bufpack_seconds(p, meter_timeval_us(tv));
}

static void pack_number(struct bufpack *p, const char *key, long v)
{
	bufpack_text(p, key);
	bufpack_int(p, v);
}

static void pack_rusage(struct bufpack *p, const struct rusage *ru)
{
	bufpack_text(p, "rusage");
	bufpack_map(p, 9);
	pack_float(p, "utime", &ru->ru_utime);
	pack_float(p, "stime", &ru->ru_stime);
	pack_number(p, "maxrss_kib", ru->ru_maxrss);
	pack_number(p, "minflt", ru->ru_minflt);
	pack_number(p, "majflt", ru->ru_majflt);
	pack_number(p, "inblock", ru->ru_inblock);
	pack_number(p, "oublock", ru->ru_oublock);
	pack_number(p, "nvcsw", ru->ru_nvcsw);
	pack_number(p, "nivcsw", ru->ru_nivcsw);
}

static void pack_status(struct bufpack *p, int status)
{
	bufpack_text(p, "exit_code");
	if (WIFEXITED(status))
		bufpack_int(p, WEXITSTATUS(status));
	else
		bufpack_nil(p);
	bufpack_text(p, "signal");
	if (WIFSIGNALED(status))
		bufpack_int(p, WTERMSIG(status));
	else
		bufpack_nil(p);
}

static int pack_result(struct command *c)
{
	struct bufpack p;
	int r = 0;

	bufpack_init(&p, &c->job->result.body);
	bufpack_map(&p, 7);
	pack_status(&p, c->status);
	for (unsigned i = 0; i < N_STREAMS && r == 0; i++) {
		bufpack_text(&p, c->streams[i].name);
		r = exec_stream_pack(&c->streams[i], &p, c->job);
	}
	bufpack_text(&p, "stdout_truncated");
	bufpack_bool(&p, c->streams[OUT].is_truncated);
	bufpack_text(&p, "stderr_truncated");
	bufpack_bool(&p, c->streams[ERR].is_truncated);
	pack_rusage(&p, &c->usage);
	return r < 0 ? r : bufpack_error(&p);
}

/* The result map is the value of a job that is done, and the data of one that failed. */
static int give_result(struct command *c)
{
	int r;

	if (WIFSIGNALED(c->status))
		poold_job_fail(c->job, "signal", "The command was killed by signal %d (%s)",
			WTERMSIG(c->status), strsignal(WTERMSIG(c->status)));
	else if (WEXITSTATUS(c->status) != 0)
		poold_job_fail(c->job, "exit", "The command ended with exit code %d",
			WEXITSTATUS(c->status));
	r = pack_result(c);
	if (r < 0)
		return poold_job_fail(c->job, "internal",
			"The output of the command cannot be sent: %s", strerror(-r));
	return 0;
}

static int run_command(struct command *c)
{
	int r;

	r = start(c);
	if (r < 0)
		return r;
	if (has_own(c) && !c->child.failure->error)
		r = let_go(c);
	if (r == 0)
		r = await_end(c);
	if (r < 0) {
		abandon(c);
		return r;
	}
	reap(c);
	r = drain(c);
	if (r == 0)
		r = check_start(c);
	return r < 0 ? r : give_result(c);
}

static int run_exec(poold_job *job)
{
	struct command c = {.job = job, .spec = &spec, .child = {.pidfd = -1}};
	int r;

	exec_stream_init(&c.streams[OUT], "stdout");
	exec_stream_init(&c.streams[ERR], "stderr");
	r = exec_spec_parse(&spec, job);
	if (r == 0)
		r = run_command(&c);
	for (unsigned i = 0; i < N_STREAMS; i++)
		exec_stream_close(&c.streams[i]);
	return r;
}

/* Orphans of a command become this worker's children. And commands get the default for SIGPIPE. */
static int init(void)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || signal(SIGPIPE, SIG_DFL) == SIG_ERR)
		return -errno;
	exec_spec_init(&spec);
	return bell_pass_signals();
}

static void fini(void)
{
	exec_spec_deinit(&spec);
}

static const struct poold_function functions[] = {
	{"exec", 0, "Runs a command: an array of strings, or a map with argv and more.", run_exec},
	{NULL, 0, NULL, NULL},
};

static const struct poold_module handler = {
	.abi = POOLD_MODULE_ABI,
	.name = "exec",
	.functions = functions,
	.init = init,
	.fini = fini,
};

const struct poold_module *exec_handler(uint64_t bytes)
{
	output_bytes = bytes < shm_max() ? bytes : shm_max();
	return &handler;
}
