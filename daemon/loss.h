/* The details of a job that was lost with its worker. */
#pragma once

#include "daemon/payload.h"
#include "daemon/worker_link.h"

/* l's process is reaped. NULL: no memory. */
struct payload *loss_describe(
	const struct worker_link *l, const struct future *f, uint64_t *ret_bytes);
