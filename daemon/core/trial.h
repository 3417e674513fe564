/* Workers that die at start, and the trials that follow. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* One worker at a time starts: none of this zygote's has been ready, or the last ones failed. */
bool trial_is_on(const struct pool *p);
/* The next one starts no earlier. */
uint64_t trial_next_us(const struct pool *p);
/* Before all that follows from the size of the pool. */
void trial_turn(struct pool *p, uint64_t now_us);
/* Its zygote is another one: what failed before counts no longer. */
void trial_begin_anew(struct pool *p);

/* ---- what is learnt from a worker ---- */

void trial_ready(struct slot *s, uint64_t now_us);
void trial_answered(struct slot *s);
/* Before its slot changes. */
void trial_died(struct slot *s, const struct worker_end *end, uint64_t now_us);
