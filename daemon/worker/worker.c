/* A worker: what happens between its fork and its first packet, and at its end.
 *
 * Answers that wait to be sent when a function crashes or calls exit() are of jobs that ended well,
 * and the daemon blames the first job that is not answered. So they are sent on the way out: from
 * exit(), and from a handler on its own stack for the signals of a crash, which then come again
 * with their default effect.
 *
 * A page that is written for the first time after the fork costs a microsecond and more, and so
 * does each stretch of code that was not used in this process yet: what all workers do alike is
 * done once, in the zygote, and they go on with its link's memory. */
#include "daemon/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/worker/bell.h"
#include "daemon/worker/cgroup.h"
#include "daemon/worker/confine.h"
#include "daemon/worker/link.h"
#include "daemon/worker/loop.h"

#define LINK_FD		  3
#define CRASH_STACK_BYTES (64u * 1024u)

static struct link *worker_link;
static pid_t worker_pid;

/* A function may fork; its children are not this worker. */
static void flush_at_end(void)
{
	if (getpid() == worker_pid)
		link_flush_dying(worker_link);
}

static void flush_at_crash(int signo)
{
	flush_at_end();
	raise(signo); /* reset and blocked here: it comes when the handler returns */
}

static int catch_crashes(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
	struct sigaction sa = {.sa_handler = flush_at_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND};
	stack_t stack = {.ss_size = CRASH_STACK_BYTES};

	stack.ss_sp = mmap(NULL, CRASH_STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) < 0)
		return -errno;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sigaction(signals[i], &sa, NULL) < 0)
			return -errno;
	}
	return atexit(flush_at_end) == 0 ? 0 : -ENOMEM;
}

int worker_prepare(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	return catch_crashes();
}

/* The link keeps close-on-exec: a command or a module's child has no business with it. */
static int place_fds(int link, int output)
{
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
		dup3(link, LINK_FD, O_CLOEXEC) < 0)
		return -errno;
	fd_close(output);
	fd_close(link);
	return 0;
}

static void enter_cgroup(const struct worker_config *c, const int *fds)
{
	if (fds[WORKER_FD_PROCS] >= 0 && !cgroup_join(fds[WORKER_FD_PROCS])) {
		fprintf(stderr, "poold-worker: pool %s: not in a cgroup: %m\n", c->pool);
		fd_close(fds[WORKER_FD_JOB]);
	} else if (fds[WORKER_FD_JOB] >= 0) {
		cgroup_set_job(fds[WORKER_FD_JOB]);
	}
}

static int set_up(const struct worker_config *c, pid_t forker, const int *fds)
{
	int r;

	r = confine_await_parent(forker, c->daemon);
	if (r == 0)
		r = confine_to_parent(c->daemon);
	if (r == 0)
		r = place_fds(fds[WORKER_FD_LINK], fds[WORKER_FD_OUTPUT]);
	if (r == 0)
		enter_cgroup(c, fds);
	return r < 0 ? r : bell_init();
}

static int fail(const struct worker_config *c, const char *what, int r)
{
	fprintf(stderr, "poold-worker: pool %s: %s: %s\n", c->pool, what, strerror(-r));
	return r == -EPROTO ? WORKER_EXIT_PROTOCOL : WORKER_EXIT_FAILED;
}

static int run(const struct worker_config *c)
{
	int r;

	r = c->module->init ? c->module->init() : 0;
	if (r < 0)
		return fail(c, "init failed", r);
	r = loop_run(worker_link, c->module, c->pool, c->cache_bytes);
	if (c->module->fini)
		c->module->fini();
	return r < 0 ? fail(c, "link", r) : EXIT_SUCCESS;
}

void worker_main(
	const struct worker_config *c, struct link *link, pid_t forker, const int fds[WORKER_FDS])
{
	int r;

	link_renew(link, LINK_FD);
	worker_link = link;
	worker_pid = getpid();
	r = set_up(c, forker, fds);
	r = r < 0 ? fail(c, "start", r) : run(c);
	link_deinit(worker_link);
	exit(r);
}
