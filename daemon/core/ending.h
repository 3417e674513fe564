/* Ends that somebody wants. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* Ends a job that may be in a worker's hands, by the three steps: take back, read, ring. After it,
 * f is in the queue, or final, or `cancelling`. */
void ending_begin(
	struct future *f, enum future_ending ending, enum cancel_mode mode, uint64_t now_us);
/* Final, by what it was ended for. It is in no line. */
void ending_finish(struct future *f, uint64_t now_us);
