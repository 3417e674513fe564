/* The worker's loop: runs come in, answers go out. */
#pragma once

#include "daemon/worker/link.h"
#include "daemon/worker/poold-module.h"

/* Sends `ready`, then runs what comes, until the end of file. 0, or -errno: the link is broken
 * (-EPROTO: what came was no worker protocol). */
must_check int loop_run(struct link *link, const struct poold_module *module, const char *pool,
	uint64_t cache_bytes);
