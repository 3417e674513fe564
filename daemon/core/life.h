/* The end of futures, and what is forgotten of them: inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* The one way to a final state. f stands in no queue and no line, and holds no reservation. */
void life_finish(struct core *c, struct future *f, enum future_state state,
	enum future_failure failure, uint64_t now_us);
/* Gives a future its value, charged: 0, or dropped with an ACCOUNT_E_. */
__attribute__((warn_unused_result)) int life_set_value(
	struct core *c, struct future *f, struct payload *value, uint64_t bytes, uint16_t fds);
/* The same, where its run had room for a result until now: what fits into that is not refused,
 * though the limits may be lower by now. */
__attribute__((warn_unused_result)) int life_set_result(
	struct core *c, struct future *f, struct payload *value, uint64_t bytes, uint16_t fds);
/* Sets its timer by the clocks of its state. Not of `cancelling`. */
void life_arm(struct core *c, struct future *f);
/* It has no timer any more. */
void life_disarm(struct core *c, struct future *f);
static inline bool life_is_armed(const struct future *f)
{
	return f->timer.pos || f->shelf_row;
}
/* Whose timer comes first; NULL. */
struct heap_node *life_first_timer(const struct core *c);
/* The time to live is over: nobody finds it, its owner is told `expired`. */
void life_expire(struct core *c, struct future *f);
/* Forgets a job that is not final, as if it had never been. It is in no queue and no line. */
void life_undo(struct core *c, struct future *f);
/* Frees the memory of one that is in no list, made half or whole. NULL. */
struct future *life_free(struct core *c, struct future *f);
/* Forgets all futures, whatever their state. */
void life_clear(struct core *c);
/* One more object that owns a timer. -ENOMEM. */
__attribute__((warn_unused_result)) int life_add_timer(struct core *c);
