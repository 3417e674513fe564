/* Dependencies: a job that waits for the ends of others, or for their values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct core;
struct future;

/* What a submit asks for: after this one, in whatever way it ends, or only if it is done; and then
 * its value may be a part of the input. */
struct after {
	struct future *on;
	bool is_any;
	bool is_input;
};

/* One of them, in the terms of the job that waits. */
struct edge {
	struct edge *prev, *next; /* among the dependents of `on` */
	struct future *on; /* NULL: of no more use. One that is an input is pinned until then */
	struct future *dependent;
	bool is_any;
	bool is_input;
	bool is_left; /* not settled */
};

/* f, whose terms have room for the edges, waits for these. */
void edges_tie(struct core *c, struct future *f, const struct after *after);
/* It waits for none of them any more. One that has none is fine. */
void edges_cut(struct future *f);
/* f is final: its dependents learn it in the next turn. It stays in memory until then. */
void edges_final(struct core *c, struct future *f);
/* Goes on with the dependents of what is final: a bounded share of them. */
void edges_turn(struct core *c, uint64_t now_us);
/* f is about to be thrown away, whoever depends on it. */
void edges_forget(struct core *c, struct future *f);
/* f keeps so much less than when it was lent. */
void edges_lend_less(struct future *f, uint64_t bytes);
/* f is about to be final: the room of the values that its input named is its owner's to give
 * back. */
void edges_end_uses(struct future *f);
/* f does not need the values that its input named any more: who is over but for that may go. */
void edges_drop_inputs(struct core *c, struct future *f);
/* The input behind e (NULL: the first), by ID as they were asked for; NULL. Not of a job that is
 * done. */
const struct edge *edges_next_input(const struct future *f, const struct edge *e);
/* How many are not settled. */
uint32_t edges_left(const struct future *f);
/* The first that is not settled. NULL. */
const struct future *edges_first(const struct future *f);
/* Of a job that was aborted for what it depended on: where that began. */
uint64_t edges_root(const struct future *f);
