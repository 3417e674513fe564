/* Between the queue and the workers: who gets what, turn by turn. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* Hands over what can be, ahead of need too; asks for workers that are missing; takes back for idle
 * ones. */
void handover_turn(struct pool *p, uint64_t now_us);
/* Aborts what waits: in the queue, and in inboxes. */
void handover_abort(struct pool *p, enum future_failure why, uint64_t now_us);
