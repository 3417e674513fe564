/* Workers that die before they are of any use, and those that are tried after them. Inside the core
 * only. */
#pragma once

#include "daemon/core/core.h"

/* ---- once in a turn ---- */

/* At its beginning: whether what was tried has proved itself. */
void trial_look(struct pool *p, uint64_t now_us);
/* One is forked at a time, and this one is not ready yet. */
bool trial_is_starting(const struct pool *p);
/* Not before, another one is forked; 0: at any time. */
uint64_t trial_next_start_us(const struct pool *p);
/* At its end. When to look again; HEAP_NEVER. */
uint64_t trial_next_us(struct pool *p, uint64_t now_us);

/* ---- first jobs ---- */

/* Workers that have not answered yet get a job one at a time. */
bool trial_is_wary(const struct pool *p);
/* Then not before that; 0: at any time. */
uint64_t trial_next_try_us(const struct pool *p);

/* ---- what is learnt; before the slot changes ---- */

void trial_ready(struct slot *s, uint64_t now_us);
void trial_answered(struct slot *s);
void trial_died(struct slot *s, const struct worker_end *end, uint64_t now_us);
/* The pool has other code now: what was forked before proves nothing, neither by its life nor by
 * its death. */
void trial_begin_anew(struct pool *p);
