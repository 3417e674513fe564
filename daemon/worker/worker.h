/* One worker, from the fork to its end. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/worker/link.h"
#include "daemon/worker/poold-module.h"

struct worker_config {
	const char *pool;
	const struct poold_module *module; /* of a handler that is built in, too */
	pid_t daemon;
	uint64_t cache_bytes; /* of other futures' values from one run to the next */
};

/* Exit codes that are not 0: what the daemon's log says of a worker that ends by itself. */
enum {
	WORKER_EXIT_FAILED = 1,	   /* init failed, no memory, the daemon is gone */
	WORKER_EXIT_PROTOCOL = 76, /* what came over the link was no worker protocol */
};

/* What it is given: its link becomes fd 3, the write end of its output pipe fds 1 and 2; a file to
 * join its control group with (-1: none, or it is in it), and the directory of the group for its
 * command (-1: none). */
enum {
	WORKER_FD_LINK,
	WORKER_FD_OUTPUT,
	WORKER_FD_PROCS,
	WORKER_FD_JOB,
	WORKER_FDS,
};

/* In the zygote, when its module is loaded: what its workers inherit. */
must_check int worker_prepare(void);
/* In the forked process; forker is the process that forked it. The fds are taken over, and so is
 * the memory of the link, with nothing in it. Does not return. */
void worker_main(const struct worker_config *c, struct link *link, pid_t forker,
	const int fds[WORKER_FDS]) __attribute__((noreturn));
