/* How many workers a pool has, and which of them go. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* Before jobs are handed over: lets those go that are too many, or whose successors are ready.
 * n_waiting: jobs that wait for a worker. */
void sizing_shrink(struct pool *p, unsigned n_waiting, uint64_t now_us);
/* Afterwards: lets those go that were idle for long, asks for those that are missing. */
void sizing_grow(struct pool *p, unsigned n_waiting, uint64_t now_us);

/* When the next worker may be started at the earliest; 0: one is starting, or nobody can tell. */
uint64_t sizing_next_start_us(const struct pool *p);

/* ---- what is decided from outside ---- */

/* The pool's config is another one. */
void sizing_changed(struct pool *p);
/* Its zygote is another one: what failed before counts no longer, and its workers get nothing
 * more. */
void sizing_begin_anew(struct pool *p, uint64_t now_us);

/* ---- what is learnt from a worker ---- */

void sizing_ready(struct slot *s, uint64_t now_us);
/* Counts the answer. */
void sizing_answered(struct slot *s, uint64_t rss_kib);
/* The slot's time has come. */
void sizing_due(struct slot *s, uint64_t now_us);
