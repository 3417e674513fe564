/* The details of a job that was lost with its worker, or that its pool cannot run. */
#pragma once

#include "daemon/payload.h"
#include "daemon/worker_link.h"

/* l's process is reaped. NULL: no memory. */
struct payload *loss_describe(
	const struct worker_link *l, const struct future *f, uint64_t *ret_bytes);
/* {cause, reason}: as the pool is now. NULL: it has no reason, or no memory. */
struct payload *loss_describe_abort(const struct future *f, uint64_t *ret_bytes);
