/* A module whose worker dies where a test wants it to. Each run that begins leaves its job's ID in
 * the file $MORTAL/runs. A file $MORTAL/preload or $MORTAL/init is removed by the first who finds
 * it there, who then dies. While there is a file $MORTAL/stuck, a preload has no end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/worker/poold-module.h"

#define LINK_FD 3

static const char *folder;

static int leave(const char *line, size_t len)
{
	char path[4096];
	int fd, r;

	snprintf(path, sizeof(path), "%s/runs", folder);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write(fd, line, len) == (ssize_t)len ? 0 : -EIO;
	close(fd);
	return r;
}

static int begin(const poold_job *job)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)poold_job_id(job));

	return leave(line, (size_t)n);
}

/* Leaves its input, which is a line, and gives it back; of one that says so it fails, or dies. */
static int run_line(poold_job *job)
{
	const void *line;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &line, &n);
	if (r == 0)
		r = leave(line, n);
	if (r == 0 && n > 4 && memcmp(line, "dies", 4) == 0)
		raise(SIGKILL);
	if (r == 0 && n > 5 && memcmp(line, "fails", 5) == 0)
		r = -ENOTDIR;
	return r < 0 ? r : poold_job_result_text(job, line, n);
}

static int run_live(poold_job *job)
{
	return begin(job);
}

static int run_die(poold_job *job)
{
	int r = begin(job);

	raise(SIGKILL);
	return r;
}

/* As much of an answer as can be: a packet goes as a whole, but its message need not be one. */
static int run_half(poold_job *job)
{
	int r = begin(job);

	if (r == 0 && write(LINK_FD, "\x94\x01\xce\0\0", 5) != 5)
		r = -errno;
	raise(SIGKILL);
	return r;
}

/* It answers, and what it does next, which is to receive, is its end. */
static int run_last(poold_job *job)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_recvmsg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(steps) / sizeof(steps[0]), steps};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return begin(job);
}

/* Says that it runs, and does not hear the bell. */
static int run_deaf(poold_job *job)
{
	int r = begin(job);

	signal(SIGTERM, SIG_IGN);
	poold_job_progress(job, 1, 1, "deaf");
	while (r == 0)
		pause();
	return r;
}

static bool is_open(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/gate", folder);
	return access(path, F_OK) == 0;
}

/* Insists on its own word if there is no room for it. */
static int give_much(poold_job *job)
{
	static const char much[100000];

	if (poold_job_result_bytes(job, much, sizeof(much)) == 0)
		return 0;
	return poold_job_fail(job, "mine", "No room");
}

/* Does what its input says, in its first attempt: nothing at all (nil), nothing more than to begin,
 * give much, die, never end, or wait for a file $MORTAL/gate. */
static int run_pure(poold_job *job)
{
	bool is_first = poold_job_attempt(job) == 1;
	const void *what;
	size_t n;
	int r;

	if (poold_job_input_bytes(job, &what, &n) < 0)
		return 0;
	r = begin(job);
	if (r < 0 || !is_first || n != 4)
		return r;
	if (memcmp(what, "much", 4) == 0)
		return give_much(job);
	if (memcmp(what, "dies", 4) == 0)
		raise(SIGKILL);
	if (memcmp(what, "gate", 4) != 0 && memcmp(what, "deaf", 4) != 0)
		return 0;
	poold_job_progress(job, 1, 1, "begun");
	while (memcmp(what, "deaf", 4) == 0 || !is_open())
		usleep(1000);
	return 0;
}

static const struct poold_function functions[] = {
	{"live", 0, "Does nothing.", run_live},
	{"pure", POOLD_FUNCTION_PURE, "Does what it is told.", run_pure},
	{"line", 0, "Leaves a line.", run_line},
	{"die", 0, "Dies.", run_die},
	{"half", 0, "Dies in the middle of its answer.", run_half},
	{"last", 0, "Its worker dies after the answer.", run_last},
	{"deaf", 0, "Never ends.", run_deaf},
	{NULL, 0, NULL, NULL},
};

static int die_if_asked(const char *name)
{
	char path[4096];

	folder = getenv("MORTAL");
	if (!folder)
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (unlink(path) == 0)
		abort();
	return 0;
}

/* Keeps that much memory for its workers. */
static int fill(const char *bytes)
{
	static void *volatile kept;
	size_t n = bytes ? strtoul(bytes, NULL, 10) : 0;

	kept = malloc(n + 1);
	if (!kept)
		return -ENOMEM;
	memset(kept, 1, n);
	return 0;
}

static int preload(void)
{
	char path[4096];
	int r = fill(getenv("MORTAL_BYTES"));

	if (r == 0)
		r = die_if_asked("preload");
	snprintf(path, sizeof(path), "%s/stuck", folder);
	if (r == 0 && access(path, F_OK) == 0) {
		fprintf(stderr, "stuck\n");
		for (;;)
			pause();
	}
	return r;
}

static int init(void)
{
	return die_if_asked("init");
}

const struct poold_module poold_module = {
	.abi = POOLD_MODULE_ABI,
	.name = "mortal",
	.functions = functions,
	.preload = preload,
	.init = init,
};
