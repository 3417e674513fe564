/* From one run of a job to the next.
 *
 *	running, cancelling ──► delayed ──► queued        with a back-off
 *	                    ──► queued                    without
 *
 * Another run follows if the job's terms permit it for this kind of end and it has retries left, or
 * if its function is pure and its worker died under it. It never follows a cancel, a deadline, a
 * start_within, or the end of the daemon or the pool. However many retries are left, a job whose
 * workers died as often as the pool allows is poison.
 *
 * Between two runs the job keeps its input, its place in the queue's books and its waiters, who are
 * told of the real end only; it gives back the room for its result and takes it again at the next
 * hand-over. What the run came to is written down by the shell, in an attempt that is charged to
 * the owner: the newest few are kept, and without room none. A job that is run again by itself gets
 * its terms when the first run was lost; without room for them the loss is its end.
 */
#include "daemon/core/attempt.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/edge.h"
#include "daemon/core/life.h"

/* A back-off doubles with each run, up to this. */
#define BACKOFF_MOST_US (3600 * 1000000ull)

/* ---- permission ---------------------------------------------------------------------------------
 */

static uint8_t retry_bit(enum future_state state)
{
	switch (state) {
	case FUTURE_LOST: return RETRY_ON_LOST;
	case FUTURE_FAILED: return RETRY_ON_FAILED;
	case FUTURE_TIMEOUT: return RETRY_ON_TIMEOUT;
	default: return 0;
	}
}

static bool has_retry(const struct future *f, enum future_state state)
{
	const struct terms *t = future_terms(f);

	return t && t->wishes.retry_on & retry_bit(state) && t->n_retries < t->wishes.retries &&
	       (state != FUTURE_TIMEOUT || f->clock == FUTURE_CLOCK_TIMEOUT);
}

static bool is_closing(const struct future *f)
{
	const struct pool *p = future_pool(f);

	return p->core->is_draining || pool_is_closed(p);
}

static bool runs_by_itself(const struct future *f, enum future_state state)
{
	return state == FUTURE_LOST && f->function->is_pure;
}

static bool may_run_again(const struct future *f, enum future_state state)
{
	return !is_closing(f) && (has_retry(f, state) || runs_by_itself(f, state));
}

bool core_may_run_again(const struct future *f)
{
	const struct terms *t = future_terms(f);

	return f->function->is_pure || (t && t->n_retries < t->wishes.retries);
}

bool attempt_may_follow(const struct future *f)
{
	return f->ending == ENDING_TIMEOUT && may_run_again(f, FUTURE_TIMEOUT);
}

static bool is_poison(const struct future *f, enum future_state state)
{
	unsigned n_deaths = future_terms(f) ? future_terms(f)->n_deaths : 0;

	return state == FUTURE_LOST && !is_closing(f) && future_pool(f)->config.poison > 0 &&
	       n_deaths + 1 >= future_pool(f)->config.poison;
}

/* ---- the record ---------------------------------------------------------------------------------
 */

static bool has_terms(struct future *f, uint64_t now_us)
{
	static const struct wishes none;
	uint32_t bytes = future_annex_bytes(f) + sizeof(struct terms);
	struct terms *t;

	if (future_terms(f))
		return true;
	if (core_keep(f, bytes, NULL) != 0)
		return false;
	t = terms_new(&none, now_us);
	if (t && future_take_annex(f) == 0) {
		f->annex->terms = t;
		return true;
	}
	terms_free(t);
	core_unkeep(f, bytes);
	return false;
}

static void forget_oldest(struct core *c, struct future *f)
{
	struct terms *t = future_terms(f);
	struct attempt *a = STAILQ_FIRST(&t->attempts);

	STAILQ_REMOVE_HEAD(&t->attempts, next);
	t->n_kept--;
	c->ops->drop_payload(c->shell, a->details);
	core_unkeep(f, a->bytes);
	free(a);
}

void attempt_forget_all(struct core *c, struct future *f)
{
	while (future_terms(f) && future_terms(f)->n_kept > 0)
		forget_oldest(c, f);
}

static void keep(struct core *c, struct future *f, const struct run_end *e)
{
	struct attempt *a = malloc(sizeof(*a));
	uint64_t bytes = 0;

	if (!a)
		return;
	f->run->value = e->value;
	*a = (struct attempt){0};
	a->details = c->ops->describe_attempt(c->shell, f, e->state, &bytes);
	f->run->value = NULL;
	a->bytes = (uint32_t)(sizeof(*a) + bytes);
	if (a->details && core_keep(f, a->bytes, NULL) == 0) {
		STAILQ_INSERT_TAIL(&future_terms(f)->attempts, a, next);
		future_terms(f)->n_kept++;
		return;
	}
	if (a->details)
		c->ops->drop_payload(c->shell, a->details);
	free(a);
}

/* Writes down what f came to, and makes it as if it had not run. */
static void turn_over(struct core *c, struct future *f, const struct run_end *e, uint64_t now_us)
{
	struct terms *t = future_terms(f);

	f->failure = e->failure;
	f->run->finished_us = now_us;
	keep(c, f, e);
	if (e->value)
		c->ops->drop_payload(c->shell, e->value);
	if (t->n_kept > TERMS_ATTEMPTS)
		forget_oldest(c, f);
	function_learn_run(f->function, f);
	t->n_ended++;
	t->n_deaths += e->state == FUTURE_LOST;
	f->failure = FAILURE_NONE;
	f->ending = ENDING_NONE;
	future_give_run(c, f);
}

/* ---- the next one -------------------------------------------------------------------------------
 */

/* The core draws no random numbers: the same job and attempt give the same number. */
static uint64_t noise(uint64_t id, unsigned n)
{
	uint64_t z = id * 0x9e3779b97f4a7c15u + n;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* backoff × 2^(n-1) after the n-th run, and up to a quarter more, so that jobs that failed together
 * do not come back together. */
static uint64_t backoff_us(const struct future *f)
{
	const struct terms *t = future_terms(f);
	uint64_t us = t->wishes.backoff_us;

	for (unsigned n = 1; n < t->n_ended && us && us < BACKOFF_MOST_US; n++)
		us = us * 2 < BACKOFF_MOST_US ? us * 2 : BACKOFF_MOST_US;
	return heap_after(us, noise(f->id, t->n_ended) % (us / 4 + 1));
}

void attempt_queue(struct core *c, struct future *f, uint64_t now_us)
{
	struct terms *t = future_terms(f);

	if (f->state != FUTURE_QUEUED)
		future_set_state(f, FUTURE_QUEUED);
	if (t && t->wishes.start_within_us)
		t->start_by_us = heap_after(now_us, t->wishes.start_within_us);
	queue_enter(&future_pool(f)->queue, f, now_us);
	life_arm(c, f);
}

/* It is `delayed` or `blocked`: until its terms' time. */
static void go_aside(struct core *c, struct future *f)
{
	struct pool *p = future_pool(f);

	TAILQ_INSERT_TAIL(&p->aside, f, in_line);
	p->n_aside++;
	if (f->state == FUTURE_DELAYED)
		account_delay(f->account);
	life_arm(c, f);
}

static void leave_aside(struct future *f)
{
	struct pool *p = future_pool(f);

	TAILQ_REMOVE(&p->aside, f, in_line);
	p->n_aside--;
	if (f->state == FUTURE_DELAYED)
		account_undelay(f->account);
}

void attempt_first(struct core *c, struct future *f, uint64_t now_us)
{
	const struct terms *t = future_terms(f);

	if (t && t->not_before_us > now_us) {
		go_aside(c, f);
	} else if (edges_left(f)) {
		f->state = FUTURE_BLOCKED;
		go_aside(c, f);
	} else {
		attempt_queue(c, f, now_us);
	}
}

void attempt_wake(struct core *c, struct future *f, uint64_t now_us)
{
	if (edges_left(f)) {
		account_undelay(f->account);
		future_set_state(f, FUTURE_BLOCKED);
		life_arm(c, f);
		return;
	}
	leave_aside(f);
	attempt_queue(c, f, now_us);
}

void attempt_withdraw(struct future *f)
{
	if (f->state == FUTURE_QUEUED) {
		queue_remove(&future_pool(f)->queue, f);
		return;
	}
	leave_aside(f);
	queue_leave(&future_pool(f)->queue, f);
}

void attempt_time_out(struct core *c, struct future *f, enum future_clock clock, uint64_t now_us)
{
	f->clock = clock;
	attempt_withdraw(f);
	life_finish(c, f, FUTURE_TIMEOUT, FAILURE_TIMEOUT, now_us);
}

static void run_again(struct core *c, struct future *f, uint64_t now_us)
{
	struct terms *t = future_terms(f);

	t->not_before_us = heap_after(now_us, backoff_us(f));
	if (t->not_before_us >= t->deadline_us) {
		/* It would be woken only to be told that. */
		f->clock = FUTURE_CLOCK_DEADLINE;
		queue_leave(&future_pool(f)->queue, f);
		life_finish(c, f, FUTURE_TIMEOUT, FAILURE_TIMEOUT, now_us);
	} else if (t->not_before_us > now_us) {
		future_set_state(f, FUTURE_DELAYED);
		go_aside(c, f);
	} else {
		attempt_queue(c, f, now_us);
	}
}

static void end(struct core *c, struct future *f, const struct run_end *e, uint64_t now_us)
{
	enum future_state state = e->state;
	enum future_failure failure = e->failure;

	queue_leave(&future_pool(f)->queue, f);
	/* Without room for its details a loss is told without them. */
	if (life_set_result(c, f, e->value, e->value_bytes, e->value_fds) != 0 &&
		state != FUTURE_LOST) {
		state = FUTURE_FAILED;
		failure = FAILURE_QUOTA;
	}
	life_finish(c, f, state, failure, now_us);
}

/* Without room for its terms it ends without a list of deaths. */
static void end_poisoned(struct core *c, struct future *f, const struct run_end *e, uint64_t now_us)
{
	if (has_terms(f, now_us))
		turn_over(c, f, e, now_us);
	else if (e->value)
		c->ops->drop_payload(c->shell, e->value);
	queue_leave(&future_pool(f)->queue, f);
	life_finish(c, f, FUTURE_FAILED, FAILURE_POISON, now_us);
}

void attempt_over(struct core *c, struct future *f, const struct run_end *e, uint64_t now_us)
{
	if (is_poison(f, e->state)) {
		end_poisoned(c, f, e, now_us);
	} else if (may_run_again(f, e->state) && has_terms(f, now_us)) {
		if (!runs_by_itself(f, e->state))
			future_terms(f)->n_retries++;
		turn_over(c, f, e, now_us);
		run_again(c, f, now_us);
	} else {
		end(c, f, e, now_us);
	}
}
