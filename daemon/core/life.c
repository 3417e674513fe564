/* The end of futures, and who waits for it. Births are in birth.c.
 *
 * A future is charged when it is made and gives back in three steps: the job at its end, the input
 * when it is done, the rest when it is forgotten (the input of a job that did not get done is kept,
 * so that it can be tried once more, unless it is lent). It is forgotten when it was released (by
 * hand or by time), is final, and nobody waits for it or sends from it. Forgetting takes it out of
 * every list at once; the memory goes at the end of the turn (core_sweep), since callers up the
 * stack may hold it.
 */
#include "daemon/core/life.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "daemon/core/attempt.h"
#include "daemon/core/edge.h"
#include "daemon/core/line.h"
#include "daemon/core/pools.h"
#include "daemon/core/reservation.h"
#include "daemon/core/tombstone.h"

int life_add_timer(struct core *c)
{
	int r;

	r = c->n_timers < c->timers.size ? 0 : heap_reserve(&c->timers, c->n_timers + 1);
	if (r < 0)
		return r;
	c->n_timers++;
	return 0;
}

struct future *life_free(struct core *c, struct future *f)
{
	if (f) {
		if (f->annex) {
			terms_free(f->annex->terms);
			tags_free(&c->groups, &c->keys, f->annex->tags);
			free(f->annex);
		}
		if (future_pool(f))
			future_pool(f)->n_users--;
	}
	slab_give(&c->memory, f);
	return NULL;
}

void life_disarm(struct core *c, struct future *f)
{
	if (f->shelf_row)
		shelf_take(&c->shelf, f);
	else
		heap_clear(&c->timers, &f->timer);
}

/* One that its dependents are still to be told of stands in another list. */
static bool may_be_shelved(const struct future *f)
{
	return future_state_is_final(f->state) && !f->dependents && !f->is_settling;
}

void life_arm(struct core *c, struct future *f)
{
	uint64_t at_us;

	/* most jobs that wait */
	if (f->state == FUTURE_QUEUED && !future_terms(f) && !life_is_armed(f))
		return;
	at_us = terms_next_us(f);
	if (at_us == HEAP_NEVER || future_state_is_final(f->state))
		life_disarm(c, f);
	if (at_us != HEAP_NEVER && !(may_be_shelved(f) && shelf_put(&c->shelf, f, at_us)))
		heap_set(&c->timers, &f->timer, at_us, f->id);
}

struct heap_node *life_first_timer(const struct core *c)
{
	struct heap_node *node = heap_first(&c->timers);
	struct future *f = shelf_first(&c->shelf);

	return f && (!node || f->timer.key < node->key) ? &f->timer : node;
}

/* What its input is charged for: the caller gives it back. */
static struct amounts drop_input(struct core *c, struct future *f)
{
	struct amounts held = {
		.n = {[ACCOUNT_BYTES] = f->input_bytes, [ACCOUNT_FDS] = f->input_fds}};

	if (f->input)
		c->ops->drop_payload(c->shell, f->input);
	f->input = NULL;
	edges_drop_inputs(c, f);
	f->input_bytes = 0;
	f->input_fds = 0;
	return held;
}

/* Its terms stay with the record: dependents look at them. */
static void drop_annexed(struct core *c, struct annex *a)
{
	if (a->extra)
		c->ops->drop_extra(c->shell, a->extra);
	a->extra = NULL;
	a->tags = tags_free(&c->groups, &c->keys, a->tags);
}

static void forget_one(struct core *c, struct future *f)
{
	struct futures *of_uid = account_futures(f->account);
	struct amounts held;

	assert(!f->waiters);
	c->n_timers--;
	future_table_remove(&c->table, f);
	roll_remove(&c->roll, f->id);
	TAILQ_REMOVE(of_uid, f, in_uid);
	held = drop_input(c, f);
	future_give_run(c, f);
	attempt_forget_all(c, f);
	if (future_value(f))
		c->ops->drop_payload(c->shell, future_value(f));
	if (f->annex)
		drop_annexed(c, f->annex);
	held.n[ACCOUNT_BYTES] += f->kept_bytes;
	held.n[ACCOUNT_FDS] += f->kept_fds;
	held.n[ACCOUNT_FUTURES] = 1;
	account_give(f->account, &held);
	f->account = account_unref(f->account);
	f->end.value = NULL;
	TAILQ_INSERT_TAIL(&c->freed, f, in_line);
}

/* Its inputs may have been kept for it alone, and theirs for them: one after the other. */
static void forget(struct core *c, struct future *f)
{
	edges_forget(c, f);
	life_disarm(c, f);
	f->is_over = true;
	if (c->is_forgetting) {
		TAILQ_INSERT_TAIL(&c->over, f, in_line);
		return;
	}
	c->is_forgetting = true;
	forget_one(c, f);
	while ((f = TAILQ_FIRST(&c->over))) {
		TAILQ_REMOVE(&c->over, f, in_line);
		forget_one(c, f);
	}
	c->is_forgetting = false;
}

static void forget_if_over(struct core *c, struct future *f)
{
	if (f->is_released && future_state_is_final(f->state) && !f->n_pins && !f->is_over)
		forget(c, f);
}

/* Before the input is given back. */
static void give_job(struct future *f)
{
	struct pool *p = future_pool(f);
	struct amounts held = {.n = {
				       [ACCOUNT_BYTES] = f->input_bytes + f->texts_bytes,
				       [ACCOUNT_JOBS] = 1,
				       [ACCOUNT_FUTURES] = 1,
				       [ACCOUNT_FDS] = f->input_fds,
			       }};

	edges_end_uses(f);
	account_job_over(f->account, &held);
	f->texts_bytes = 0;
	account_give_one(f->account, ACCOUNT_JOBS, 1);
	p->core->n_unfinished--;
	p->n_unfinished--;
}

void life_undo(struct core *c, struct future *f)
{
	give_job(f);
	forget(c, f);
}

/* ---- from outside ---- */

void core_release(struct core *c, struct future *f)
{
	f->is_released = true;
	tags_drop_key(&c->keys, future_tags(f));
	forget_if_over(c, f);
}

void life_expire(struct core *c, struct future *f)
{
	if (!f->is_released)
		tombstones_add(c->tombstones, f->id, future_uid(f));
	core_release(c, f);
}

struct future *core_find(const struct core *c, uint64_t id)
{
	struct future *f = future_table_find(&c->table, id);

	return f && !f->is_released ? f : NULL;
}

struct future *core_older(struct core *c, uint64_t id)
{
	id = roll_older(&c->roll, id);
	return id ? future_table_find(&c->table, id) : NULL;
}

struct future *core_newer(struct core *c, uint64_t id)
{
	id = roll_newer(&c->roll, id);
	return id ? future_table_find(&c->table, id) : NULL;
}

struct tag_list *core_find_group(const struct core *c, uint32_t uid, const char *group, size_t len)
{
	return tag_find(&c->groups, uid, group, len);
}

bool core_find_expired(const struct core *c, uint64_t id, uint32_t *ret_uid)
{
	return tombstones_find(c->tombstones, id, ret_uid);
}

/* ---- the end of one ---- */

static void keep_value(struct future *f, struct payload *value, uint64_t bytes, uint16_t fds)
{
	f->end.value = value;
	f->kept_bytes += bytes;
	f->kept_fds = (uint16_t)(f->kept_fds + fds);
}

int life_set_value(
	struct core *c, struct future *f, struct payload *value, uint64_t bytes, uint16_t fds)
{
	struct amounts want = {.n = {[ACCOUNT_BYTES] = bytes, [ACCOUNT_FDS] = fds}};
	int r;

	if (!value)
		return 0;
	r = account_take(f->account, &want, NULL);
	if (r == 0)
		keep_value(f, value, bytes, fds);
	else
		c->ops->drop_payload(c->shell, value);
	return r;
}

int life_set_result(
	struct core *c, struct future *f, struct payload *value, uint64_t bytes, uint16_t fds)
{
	if (!value || reservation_exceeded(f, bytes, fds))
		return life_set_value(c, f, value, bytes, fds);
	account_keep_result(f->account, bytes, fds);
	keep_value(f, value, bytes, fds);
	return 0;
}

static void tell_waiters(struct core *c, struct future *f)
{
	struct waiter *w;

	core_pin(f);
	while ((w = f->waiters)) {
		core_unwait(c, w);
		c->ops->tell(c->shell, w, f);
	}
	core_unpin(c, f);
}

void life_finish(struct core *c, struct future *f, enum future_state state,
	enum future_failure failure, uint64_t now_us)
{
	struct amounts held;

	assert(!f->run->slot && !f->is_reserved);
	future_set_state(f, state);
	f->failure = failure;
	f->end.finished_us = now_us;
	f->end.seq = ++c->final_seq;
	future_pool(f)->n_finished[state]++;
	function_learn(f->function, f);
	give_job(f);
	edges_cut(f);
	if (state == FUTURE_DONE || f->is_input_lent) {
		held = drop_input(c, f);
		account_give(f->account, &held);
	}
	life_arm(c, f);
	edges_final(c, f);
	tell_waiters(c, f);
}

/* ---- who waits, who sends ---- */

void core_wait(struct core *c, struct future *f, struct waiter *w)
{
	w->future = f;
	if (future_state_is_final(f->state)) {
		w->is_waiting = false;
		c->ops->tell(c->shell, w, f);
		return;
	}
	w->is_waiting = true;
	DL_APPEND(f->waiters, w);
}

void core_watch(struct core *c, struct future *f, struct waiter *w)
{
	if (future_state_is_final(f->state)) {
		core_wait(c, f, w);
		return;
	}
	w->future = f;
	w->is_waiting = true;
	w->is_watching = true;
	f->is_watched = true;
	DL_PREPEND(f->waiters, w);
}

void core_unwait(struct core *c, struct waiter *w)
{
	struct future *f = w->future;

	if (!w->is_waiting)
		return;
	DL_DELETE(f->waiters, w);
	w->is_waiting = false;
	if (w->is_watching)
		f->is_watched = f->waiters && f->waiters->is_watching;
	w->is_watching = false;
	forget_if_over(c, f);
}

void core_pin(struct future *f)
{
	f->n_pins++;
}

void core_unpin(struct core *c, struct future *f)
{
	f->n_pins--;
	forget_if_over(c, f);
}

static void sweep(struct core *c)
{
	struct future *f;

	while ((f = TAILQ_FIRST(&c->freed))) {
		TAILQ_REMOVE(&c->freed, f, in_line);
		life_free(c, f);
	}
}

void core_sweep(struct core *c)
{
	sweep(c);
	pools_sweep(c);
}

static void drop_all(struct core *c, struct future *f)
{
	if (f->run->slot) {
		line_end(f, f->run->head_us);
		queue_leave(&future_pool(f)->queue, f);
	} else if (!future_state_is_final(f->state)) {
		attempt_withdraw(f);
	}
	attempt_forget_all(c, f);
	if (future_state_is_final(f->state))
		forget(c, f);
	else
		life_undo(c, f);
}

void life_clear(struct core *c)
{
	struct future *f;

	/* The youngest first: nobody's input goes before him. */
	while ((f = core_older(c, CORE_ID_END)))
		drop_all(c, f);
	sweep(c);
}
