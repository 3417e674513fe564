/* The zygote's link carries two requests: `setup` once, then `fork` for each worker.
 *
 * A worker has to be the daemon's child, or its exit status would be nobody's. So the zygote forks
 * twice and the middle process ends at once: its child falls to the nearest subreaper above, the
 * daemon. Plain fork() for the worker, since it goes on in this address space and needs all that
 * the C library does around it; the middle process does nothing but that fork(), so vfork() spares
 * it an address space of its own.
 *
 * What the module opened in preload stays open in the workers; there is nothing else: fds that were
 * left open by whoever started the zygote are closed first. */
#include "daemon/worker/zygote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "daemon/worker/cgroup.h"
#include "daemon/worker/confine.h"
#include "daemon/worker/exec.h"
#include "daemon/worker/link.h"
#include "daemon/worker/meter.h"
#include "daemon/worker/modules.h"
#include "daemon/worker/setup.h"
#include "daemon/worker/worker.h"

#include <linux/close_range.h>
#include <signal.h>

#define CONTROL_FD	3
#define CODE_BAD_MODULE "bad_module"

/* Where the middle process leaves what it did. */
struct birth {
	pid_t pid;
	int error; /* errno of its fork() */
};

struct zygote {
	struct link link;
	struct setup setup;
	struct worker_config config;
	struct birth *birth; /* shared with the children */
};

/* Static: the worker goes on with parts of it, and the link is large. */
static struct zygote zygote;

static int answer_error(uint32_t msgid, const char *code, const char *message)
{
	int r = link_answer_error(&zygote.link, msgid, code, message);

	return r < 0 ? r : link_flush(&zygote.link, 0);
}

static int answer_functions(uint32_t msgid)
{
	struct bufpack p;
	int r;

	bufpack_init(&p, &zygote.link.out);
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_map(&p, 2);
	bufpack_text(&p, "functions");
	modules_pack_functions(&p, zygote.config.module);
	bufpack_text(&p, "rss_kib");
	bufpack_uint(&p, meter_rss_kib());
	r = bufpack_error(&p);
	return r < 0 ? r : link_flush(&zygote.link, 0);
}

static int answer_pid(uint32_t msgid, pid_t pid)
{
	struct bufpack p;
	int r;

	bufpack_init(&p, &zygote.link.out);
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_int(&p, pid);
	r = bufpack_error(&p);
	return r < 0 ? r : link_flush(&zygote.link, 0);
}

/* 0, or 1 with code and message. */
static int set_up(struct cursor *params, const char **ret_code, char *message)
{
	struct setup *s = &zygote.setup;

	*ret_code = "bad_request";
	if (setup_parse(s, params, message, MODULES_MESSAGE_BYTES) != 0 ||
		setup_apply(s, message, MODULES_MESSAGE_BYTES) != 0)
		return 1;
	zygote.config.pool = s->pool;
	zygote.config.cache_bytes = s->cache_bytes;
	if (s->handler == SETUP_EXEC) {
		zygote.config.module = exec_handler(s->output_bytes);
		return 0;
	}
	*ret_code = CODE_BAD_MODULE;
	return modules_load(s->module, &zygote.config.module, message);
}

/* Before anything is loaded, so that it counts. */
static int join_cgroup(const struct message *m)
{
	int fds[PROTO_PACKET_FDS];
	int r;

	r = link_take_fds(&zygote.link, m, fds);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < m->n_fds; i++)
		if (!cgroup_join(fds[i]))
			fprintf(stderr, "poold-worker: not in a cgroup: %m\n");
	return 0;
}

/* -ECANCELED: refused, and told so. */
static int handle_setup(const struct message *m)
{
	char message[MODULES_MESSAGE_BYTES];
	struct cursor params = m->rpc.params;
	const char *code = "bad_request";
	int r;

	if (zygote.config.module)
		return answer_error(m->rpc.msgid, code, "setup was done already");
	r = join_cgroup(m);
	if (r < 0)
		return r;
	r = m->rpc.n_params < 1;
	if (r != 0)
		snprintf(message, sizeof(message), "The parameters of setup are [map]");
	else
		r = set_up(&params, &code, message);
	if (r == 0) {
		r = worker_prepare();
		return r < 0 ? r : answer_functions(m->rpc.msgid);
	}
	fprintf(stderr, "poold-worker: %s\n", message);
	r = answer_error(m->rpc.msgid, code, message);
	return r < 0 ? r : -ECANCELED;
}

static void __attribute__((noreturn)) be_the_middle(int *fds, bool is_in_cgroup)
{
	pid_t self = getpid();
	pid_t pid;

	if (is_in_cgroup)
		fds[WORKER_FD_PROCS] = fd_close(fds[WORKER_FD_PROCS]);
	pid = fork();
	if (pid == 0)
		worker_main(&zygote.config, &zygote.link, self, fds);
	zygote.birth->pid = pid;
	zygote.birth->error = pid < 0 ? errno : 0;
	_exit(0);
}

/* The worker's pid, or -errno. */
static pid_t try_fork(int *fds, bool into_cgroup)
{
	pid_t middle;
	int status;

	*zygote.birth = (struct birth){.pid = -1, .error = EAGAIN};
	fflush(NULL);
	middle = into_cgroup ? cgroup_fork_above(fds[WORKER_FD_JOB]) : vfork();
	if (middle == 0)
		be_the_middle(fds, into_cgroup);
	if (middle < 0)
		return -errno;
	while (waitpid(middle, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return zygote.birth->pid > 0 ? zygote.birth->pid : -zygote.birth->error;
}

/* Born into its cgroup where that is permitted: to join it takes milliseconds. */
static pid_t fork_worker(int *fds)
{
	pid_t pid = -1;

	if (fds[WORKER_FD_JOB] >= 0)
		pid = try_fork(fds, true);
	return pid > 0 ? pid : try_fork(fds, false);
}

static int handle_fork(const struct message *m)
{
	int fds[PROTO_PACKET_FDS];
	char text[128];
	pid_t pid;
	int r;

	r = link_take_fds(&zygote.link, m, fds);
	if (r < 0)
		return r;
	for (unsigned i = m->n_fds; i < WORKER_FDS; i++)
		fds[i] = -1;
	if (!zygote.config.module || (m->n_fds != 2 && m->n_fds != WORKER_FDS))
		pid = -EINVAL;
	else
		pid = fork_worker(fds);
	for (unsigned i = 0; i < m->n_fds; i++)
		fd_close(fds[i]);
	if (pid > 0)
		return answer_pid(m->rpc.msgid, pid);
	snprintf(text, sizeof(text), "Cannot fork a worker: %s", strerror(-pid));
	return answer_error(m->rpc.msgid, pid == -EINVAL ? "bad_request" : "internal", text);
}

static int handle(const struct message *m)
{
	if (m->rpc.type != RPC_REQUEST)
		return 0;
	if (text_equal(m->rpc.method, m->rpc.method_len, "setup"))
		return handle_setup(m);
	if (text_equal(m->rpc.method, m->rpc.method_len, "fork"))
		return handle_fork(m);
	return answer_error(m->rpc.msgid, "unknown_method", "A zygote knows setup and fork");
}

/* 0 at the end of file. */
static int serve(void)
{
	struct message m;
	int r;

	while ((r = link_receive(&zygote.link)) == 1) {
		while ((r = link_next(&zygote.link, &m)) == 1) {
			r = handle(&m);
			if (r < 0)
				return r;
		}
		if (r < 0)
			return r;
	}
	return r;
}

/* Terminals and service managers signal whole groups; the zygote ends with its link. */
static int set_up_process(void)
{
	pid_t daemon = getppid();
	int r;

	r = confine_to_parent(daemon);
	if (r < 0)
		return r;
	setsid();
	confine_signals();
	signal(SIGTERM, SIG_IGN);
	if (close_range(CONTROL_FD + 1, ~0u, 0) < 0)
		return -errno;
	zygote.config.daemon = daemon;
	zygote.birth = mmap(NULL, sizeof(*zygote.birth), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (zygote.birth == MAP_FAILED)
		return -errno;
	return link_init(&zygote.link, CONTROL_FD);
}

int zygote_main(void)
{
	int r;

	r = set_up_process();
	if (r == 0)
		r = serve();
	/* A daemon that stops does not wait for what it asked. */
	if (link_is_closed(r))
		r = 0;
	if (r < 0 && r != -ECANCELED)
		fprintf(stderr, "poold-worker: %s\n", strerror(-r));
	link_deinit(&zygote.link);
	setup_deinit(&zygote.setup);
	return r < 0 ? 1 : 0;
}
