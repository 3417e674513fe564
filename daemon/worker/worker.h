/* One worker, from the fork to its end. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "daemon/worker/poold-module.h"

struct worker_config {
	const char *pool;
	const struct poold_module *module; /* of a handler that is built in, too */
	pid_t daemon;
};

/* Exit codes that are not 0: what the daemon's log says of a worker that ends by itself. */
enum {
	WORKER_EXIT_FAILED = 1,	   /* init failed, no memory, the daemon is gone */
	WORKER_EXIT_PROTOCOL = 76, /* what came over the link was no worker protocol */
};

/* In the forked process; forker is the process that forked it. link and output (both taken over)
 * become fds 3, and 1 and 2. Does not return. */
void worker_main(const struct worker_config *c, pid_t forker, int link, int output)
	__attribute__((noreturn));
