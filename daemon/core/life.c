/* Birth and end of futures.
 *
 * A future is charged when it is made and gives back in three steps: the job at its end, the input
 * when it is done, the rest when it is forgotten (the input of a job that did not get done is kept,
 * so that it can be tried once more). It is forgotten when it was released (by hand or by
 * time), is final, and nobody waits for it or sends from it. Forgetting takes it out of every list
 * at once; the memory goes at the end of the turn (core_sweep), since callers up the stack may hold
 * it.
 */
#include "daemon/core/life.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/attempt.h"
#include "daemon/core/edge.h"
#include "daemon/core/handover.h"
#include "daemon/core/tombstone.h"

int life_add_timer(struct core *c)
{
	int r;

	r = heap_reserve(&c->timers, c->n_timers + 1);
	if (r < 0)
		return r;
	c->n_timers++;
	return 0;
}

/* As long as the record. */
static uint64_t kept_bytes_of(const struct submission *s)
{
	return s->extra_bytes + terms_bytes(&s->wishes) + tags_bytes(&s->tags);
}

/* Sparse memfds may claim any size: a sum that wrapped around would fit in every quota. */
static uint64_t bytes_of(const struct submission *s)
{
	uint64_t sum;

	return __builtin_add_overflow(s->input_bytes, kept_bytes_of(s), &sum) ? UINT64_MAX : sum;
}

static struct amounts amounts_of(const struct submission *s)
{
	return (struct amounts){.n = {
					[ACCOUNT_BYTES] = bytes_of(s),
					[ACCOUNT_JOBS] = s->pool != NULL,
					[ACCOUNT_FUTURES] = 1,
					[ACCOUNT_FDS] = s->input_fds,
				}};
}

static int take(const struct submission *s, const struct amounts *want, struct refusal *ret_refusal)
{
	struct amounts result = {0};

	if (!s->pool)
		return account_take(s->account, want, ret_refusal);
	if (!handover_never_fits(s->pool))
		result = handover_reservation(s->pool);
	return account_take_job(s->account, want, &result, ret_refusal);
}

static struct future *future_free(struct core *c, struct future *f)
{
	if (f) {
		terms_free(f->terms);
		tags_free(&c->groups, &c->keys, f->tags);
	}
	free(f);
	return NULL;
}

static struct future *future_new(struct core *c, const struct submission *s, uint64_t now_us)
{
	struct future *f = calloc(1, sizeof(*f));
	bool is_whole = f;

	if (f)
		f->account = s->account;
	if (is_whole && terms_bytes(&s->wishes)) {
		f->terms = terms_new(&s->wishes, now_us);
		is_whole = f->terms;
	}
	if (is_whole && tags_bytes(&s->tags))
		is_whole = tags_new(&c->groups, &c->keys, f, &s->tags, &f->tags) == 0;
	return is_whole ? f : future_free(c, f);
}

static int birth(struct core *c, const struct submission *s, uint64_t now_us, struct future **ret,
	struct refusal *ret_refusal)
{
	struct amounts want = amounts_of(s);
	struct future *f;
	int r;

	if (c->is_draining)
		return CORE_E_DRAINING;
	if (c->next_id >= c->id_end)
		return -EAGAIN;
	r = take(s, &want, ret_refusal);
	if (r)
		return r;
	f = future_new(c, s, now_us);
	r = f ? life_add_timer(c) : -ENOMEM;
	if (r < 0) {
		future_free(c, f);
		if (s->pool)
			account_job_over(s->account, &want);
		account_give(s->account, &want);
		return r;
	}
	f->id = c->next_id++;
	account_ref(f->account);
	f->extra = s->extra;
	f->kept_bytes = kept_bytes_of(s);
	f->in = s->in;
	f->ttl_us = s->ttl_us;
	f->submitted_us = now_us;
	f->timer.owner = CORE_TIMER_FUTURE;
	TAILQ_INIT(&f->waiters);
	future_table_add(&c->table, f);
	TAILQ_INSERT_TAIL(&c->all, f, in_all);
	TAILQ_INSERT_TAIL(account_futures(f->account), f, in_uid);
	*ret = f;
	return 0;
}

void life_arm(struct core *c, struct future *f)
{
	uint64_t at_us = terms_next_us(f);

	if (at_us == HEAP_NEVER)
		heap_clear(&c->timers, &f->timer);
	else
		heap_set(&c->timers, &f->timer, at_us, f->id);
}

static void give_input(struct core *c, struct future *f)
{
	if (f->input)
		c->ops->drop_payload(c->shell, f->input);
	f->input = NULL;
	account_give_one(f->account, ACCOUNT_BYTES, f->input_bytes);
	account_give_one(f->account, ACCOUNT_FDS, f->input_fds);
	f->input_bytes = 0;
	f->input_fds = 0;
}

static void forget(struct core *c, struct future *f)
{
	assert(TAILQ_EMPTY(&f->waiters));
	edges_forget(c, f);
	heap_clear(&c->timers, &f->timer);
	c->n_timers--;
	future_table_remove(&c->table, f);
	TAILQ_REMOVE(&c->all, f, in_all);
	TAILQ_REMOVE(account_futures(f->account), f, in_uid);
	give_input(c, f);
	attempt_forget_all(c, f);
	if (f->value)
		c->ops->drop_payload(c->shell, f->value);
	if (f->extra)
		c->ops->drop_extra(c->shell, f->extra);
	f->tags = tags_free(&c->groups, &c->keys, f->tags);
	account_give_one(f->account, ACCOUNT_BYTES, f->kept_bytes);
	account_give_one(f->account, ACCOUNT_FDS, f->kept_fds);
	account_give_one(f->account, ACCOUNT_FUTURES, 1);
	f->account = account_unref(f->account);
	f->value = NULL;
	f->extra = NULL;
	TAILQ_INSERT_TAIL(&c->freed, f, in_line);
}

static void forget_if_over(struct core *c, struct future *f)
{
	if (f->is_released && future_state_is_final(f->state) && !f->n_pins)
		forget(c, f);
}

/* Before the input is given back. */
static void give_job(struct future *f)
{
	struct amounts held = {.n = {
				       [ACCOUNT_BYTES] = f->input_bytes + f->texts_bytes,
				       [ACCOUNT_JOBS] = 1,
				       [ACCOUNT_FUTURES] = 1,
				       [ACCOUNT_FDS] = f->input_fds,
			       }};

	account_job_over(f->account, &held);
	f->texts_bytes = 0;
	account_give_one(f->account, ACCOUNT_JOBS, 1);
	f->pool->core->n_unfinished--;
	f->pool->n_unfinished--;
}

/* ---- from outside ---- */

/* Who submits again what has a key gets what that led to, whatever else has changed since. */
int core_find_known(const struct core *c, const struct submission *s, struct future **ret)
{
	const struct tag_wishes *w = &s->tags;
	struct tag_list *tags = NULL;

	if (w->key)
		tags = tag_find(&c->keys, account_uid(s->account), w->key, w->key_len);
	if (!tags)
		return 0;
	*ret = TAILQ_FIRST(tags)->future;
	return (*ret)->tags->content == w->content ? CORE_E_KNOWN : CORE_E_KEY_CONFLICT;
}

int core_submit(struct core *c, const struct submission *s, uint64_t now_us, struct future **ret,
	struct refusal *ret_refusal)
{
	struct pool *p = s->pool;
	struct future *f;
	int r;

	r = core_find_known(c, s, ret);
	if (r)
		return r;
	if (p->state == POOL_FAILED || pool_is_broken(p))
		return CORE_E_POOL_FAILED;
	if (p->is_draining)
		return CORE_E_DRAINING;
	r = birth(c, s, now_us, &f, ret_refusal);
	if (r)
		return r;
	f->pool = p;
	f->function = s->function;
	f->priority = s->priority;
	f->timeout_us = s->timeout_us ? s->timeout_us : p->config.timeout_us;
	f->grace_us = s->grace_us ? s->grace_us : p->config.grace_us;
	f->input_bytes = s->input_bytes;
	f->input_fds = s->input_fds;
	f->texts_bytes = (uint32_t)f->kept_bytes;
	c->n_unfinished++;
	p->n_unfinished++;
	r = queue_join(&p->queue, f);
	if (r < 0) {
		f->extra = NULL;
		give_job(f);
		forget(c, f);
		return r;
	}
	f->input = s->input;
	edges_tie(c, f, s->wishes.after);
	attempt_first(c, f, now_us);
	p->n_submitted++;
	*ret = f;
	return 0;
}

void core_withdraw(struct core *c, struct future *f)
{
	assert(!future_state_is_final(f->state) && !f->slot);
	attempt_withdraw(f);
	f->pool->n_submitted--;
	give_job(f);
	forget(c, f);
}

int core_put(struct core *c, const struct submission *s, uint64_t now_us, struct future **ret,
	struct refusal *ret_refusal)
{
	struct future *f;
	int r;

	r = core_find_known(c, s, ret);
	if (r)
		return r;
	r = birth(c, s, now_us, &f, ret_refusal);
	if (r)
		return r;
	f->value = s->input;
	f->kept_bytes += s->input_bytes;
	f->kept_fds = s->input_fds;
	f->state = FUTURE_DONE;
	f->finished_us = now_us;
	f->final_seq = ++c->final_seq;
	life_arm(c, f);
	*ret = f;
	return 0;
}

void core_release(struct core *c, struct future *f)
{
	f->is_released = true;
	tags_drop_key(&c->keys, f->tags);
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

struct tag_list *core_find_group(const struct core *c, uint32_t uid, const char *group, size_t len)
{
	return tag_find(&c->groups, uid, group, len);
}

bool core_find_expired(const struct core *c, uint64_t id, uint32_t *ret_uid)
{
	return tombstones_find(c->tombstones, id, ret_uid);
}

/* ---- the end of one ---- */

int life_set_value(
	struct core *c, struct future *f, struct payload *value, uint64_t bytes, uint16_t fds)
{
	struct amounts want = {.n = {[ACCOUNT_BYTES] = bytes, [ACCOUNT_FDS] = fds}};
	int r;

	if (!value)
		return 0;
	r = account_take(f->account, &want, NULL);
	if (r) {
		c->ops->drop_payload(c->shell, value);
		return r;
	}
	f->value = value;
	f->kept_bytes += bytes;
	f->kept_fds += fds;
	return 0;
}

static void tell_waiters(struct core *c, struct future *f)
{
	struct waiter *w;

	core_pin(f);
	while ((w = TAILQ_FIRST(&f->waiters))) {
		core_unwait(c, w);
		c->ops->tell(c->shell, w, f);
	}
	core_unpin(c, f);
}

void life_finish(struct core *c, struct future *f, enum future_state state,
	enum future_failure failure, uint64_t now_us)
{
	assert(!f->lane && !f->slot && !f->is_reserved);
	future_set_state(f, state);
	f->failure = failure;
	f->finished_us = now_us;
	f->final_seq = ++c->final_seq;
	f->pool->n_finished[state]++;
	function_learn(f->function, f);
	give_job(f);
	if (state == FUTURE_DONE)
		give_input(c, f);
	life_arm(c, f);
	edges_cut(f);
	edges_final(c, f);
	tell_waiters(c, f);
}

/* ---- who waits, who sends ---- */

void core_wait(struct core *c, struct future *f, struct waiter *w)
{
	if (future_state_is_final(f->state)) {
		w->future = NULL;
		c->ops->tell(c->shell, w, f);
		return;
	}
	w->future = f;
	TAILQ_INSERT_TAIL(&f->waiters, w, in_future);
}

void core_watch(struct core *c, struct future *f, struct waiter *w)
{
	if (future_state_is_final(f->state)) {
		core_wait(c, f, w);
		return;
	}
	w->future = f;
	w->is_watching = true;
	f->is_watched = true;
	TAILQ_INSERT_HEAD(&f->waiters, w, in_future);
}

void core_unwait(struct core *c, struct waiter *w)
{
	struct future *f = w->future;

	if (!f)
		return;
	TAILQ_REMOVE(&f->waiters, w, in_future);
	w->future = NULL;
	if (w->is_watching)
		f->is_watched = TAILQ_FIRST(&f->waiters) && TAILQ_FIRST(&f->waiters)->is_watching;
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

void core_sweep(struct core *c)
{
	struct future *f;

	while ((f = TAILQ_FIRST(&c->freed))) {
		TAILQ_REMOVE(&c->freed, f, in_line);
		future_free(c, f);
	}
}

static void drop_all(struct core *c, struct future *f)
{
	if (f->slot) {
		handover_end(f, f->head_us);
		queue_leave(&f->pool->queue, f);
	} else if (!future_state_is_final(f->state)) {
		attempt_withdraw(f);
	}
	attempt_forget_all(c, f);
	if (!future_state_is_final(f->state))
		give_job(f);
	forget(c, f);
}

void life_clear(struct core *c)
{
	struct future *f;

	while ((f = TAILQ_FIRST(&c->all)))
		drop_all(c, f);
	core_sweep(c);
}
