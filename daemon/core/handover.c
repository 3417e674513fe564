/* Hand-over: the queue on one side, workers' inboxes on the other.
 *
 * What happens at once is in line.c; this is what is decided once in a turn, pool by pool: who gets
 * the next job, also ahead of need, and from whom jobs are taken back since others could run them
 * sooner. A job whose result has no room in its owner's account makes only its own uid's lane wait.
 */
#include "daemon/core/handover.h"

#include "daemon/core/attempt.h"
#include "daemon/core/life.h"
#include "daemon/core/line.h"
#include "daemon/core/reservation.h"
#include "daemon/core/recall.h"
#include "daemon/core/sizing.h"
#include "daemon/core/trial.h"

/* There is no room for its result: why there never will be. NONE: there may be. */
static enum future_failure never_fits(const struct future *f)
{
	if (reservation_never_fits(f->pool))
		return FAILURE_QUOTA;
	return reservation_is_stuck(f) ? FAILURE_HELD : FAILURE_NONE;
}

/* The next job that can start as far as its owner's account goes (*ret_failure: NONE), or that
 * never can. What one result takes is the same for all jobs of a pool: without room in an account
 * all of that uid stand aside, without room in all together nobody can start. */
static struct future *first_with_room(struct pool *p, enum future_failure *ret_failure)
{
	struct amounts want = reservation_of(p);
	struct future *f;
	int r;

	while ((f = queue_first(&p->queue))) {
		r = account_check_result(f->account, &want, NULL);
		*ret_failure = r == 0 ? FAILURE_NONE : never_fits(f);
		if (r == 0 || *ret_failure != FAILURE_NONE)
			return f;
		p->core->is_short = true;
		if (r == ACCOUNT_E_FULL)
			return NULL;
		queue_stand_aside(&p->queue, f);
	}
	return NULL;
}

/* ---- handing over -------------------------------------------------------------------------------
 */

/* Its link took nothing in this turn. */
static bool is_refusing(const struct slot *s)
{
	return s->refused_turn == s->pool->core->n_turns;
}

static struct slot *slot_idle(struct pool *p, uint64_t now_us)
{
	bool may_try = now_us >= trial_next_try_us(p);
	struct slot *s;

	if (p->n_lines >= p->config.n_workers)
		return NULL; /* those that leave still run as many */
	TAILQ_FOREACH_REVERSE(s, &p->by_state[SLOT_IDLE], slots, in_state)
	if (!is_refusing(s) && (s->n_done || may_try))
		return s; /* the last one: its caches are the warmest */
	return NULL;
}

static struct slot *of_taker(struct heap_node *node)
{
	return (struct slot *)(void *)((char *)node - offsetof(struct slot, taker));
}

/* Some of them may not have every job: see fits_ahead(). */
static bool is_taker(const struct slot *s, uint64_t now_us)
{
	return s->state == SLOT_BUSY && s->n_line > 0 && s->n_line <= s->pool->config.ahead_max &&
	       s->fate != FATE_ENDS && !is_refusing(s) && !recall_runs_late(s, now_us);
}

/* Of equally burdened ones the one that has fewer jobs. */
static void place_taker(struct slot *s, uint64_t now_us)
{
	if (is_taker(s, now_us))
		heap_set(&s->pool->takers, &s->taker, s->ahead_ns, s->n_line);
	else
		heap_clear(&s->pool->takers, &s->taker);
}

static void gather_takers(struct pool *p, uint64_t now_us)
{
	struct slot *s;

	heap_empty(&p->takers);
	TAILQ_FOREACH (s, &p->by_state[SLOT_BUSY], in_state)
		place_taker(s, now_us);
}

/* Rooms for results that are taken long before there is one are to keep nobody from the rest of his
 * account. */
static bool fits_ahead(const struct slot *s, const struct future *f)
{
	struct amounts want = reservation_of(s->pool);
	uint64_t ahead_ns = heap_after(s->ahead_ns, function_expected_ns(f->function));

	return ahead_ns <= POOL_AHEAD_US * 1000 &&
	       (s->n_line <= POOL_AHEAD_LEAST || account_is_half_free(f->account, &want));
}

/* The least burdened worker, if it may have this job ahead of need. */
static struct slot *slot_for_ahead(struct pool *p, const struct future *f)
{
	struct heap_node *node = heap_first(&p->takers);

	return node && fits_ahead(of_taker(node), f) ? of_taker(node) : NULL;
}

/* False: f ended in place of starting. */
static bool hand_over(struct slot *s, struct future *f, uint64_t now_us)
{
	struct pool *p = s->pool;
	uint64_t expected_ns;
	int r;

	reservation_take(f);
	f->msgid = s->next_msgid;
	f->attempt = f->terms ? (uint16_t)(f->terms->n_ended + 1) : 1;
	r = p->core->ops->hand_over(p->core->shell, s, f);
	if (r != 0)
		reservation_give(f);
	if (r == CORE_E_TOO_LARGE) {
		queue_remove(&p->queue, f);
		life_finish(p->core, f, FUTURE_FAILED, FAILURE_INPUTS, now_us);
		return false;
	}
	if (r != 0) {
		s->refused_turn = p->core->n_turns;
		p->core->want_turn = true;
		place_taker(s, now_us);
		return true;
	}
	expected_ns = function_expected_ns(f->function);
	queue_pop(&p->queue, f, (f->function->mean_run_ns + 999) / 1000);
	s->next_msgid++;
	f->expected_ns = expected_ns < UINT32_MAX ? (uint32_t)expected_ns : UINT32_MAX;
	line_append(s, f, now_us);
	if (s->state == SLOT_IDLE) {
		s->busy_us = now_us;
		slot_set_state(s, SLOT_BUSY, now_us);
	}
	place_taker(s, now_us);
	return true;
}

/* True if some job ended in place of starting. */
static bool assign(struct pool *p, uint64_t now_us)
{
	enum future_failure failure;
	enum future_clock clock;
	bool has_ended = false;
	struct future *f;
	struct slot *s;

	if (queue_rejoin(&p->queue))
		p->core->is_short = true;
	gather_takers(p, now_us);
	while ((f = first_with_room(p, &failure))) {
		if (failure != FAILURE_NONE) {
			queue_remove(&p->queue, f);
			life_finish(p->core, f, FUTURE_FAILED, failure, now_us);
			has_ended = true;
			continue;
		}
		clock = terms_due(f, now_us);
		if (clock != FUTURE_CLOCK_NONE) {
			attempt_time_out(p->core, f, clock, now_us);
			has_ended = true;
			continue;
		}
		s = slot_idle(p, now_us);
		if (!s)
			s = slot_for_ahead(p, f);
		if (!s)
			break;
		has_ended |= !hand_over(s, f, now_us);
	}
	return has_ended;
}

static void abort_one(struct future *f, enum future_failure why, uint64_t now_us)
{
	struct core *c = f->pool->core;
	struct payload *details = NULL;
	uint64_t bytes = 0;

	if (why == FAILURE_POOL)
		details = c->ops->describe_abort(c->shell, f, &bytes);
	/* Without room for the details the end is told without them. */
	(void)!life_set_value(c, f, details, bytes, 0);
	life_finish(c, f, FUTURE_ABORTED, why, now_us);
}

void handover_abort(struct pool *p, enum future_failure why, uint64_t now_us)
{
	struct future *f;

	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->state == SLOT_BUSY && p->slots[i]->n_line > 1)
			line_take_back(p->slots[i], now_us);
	while ((f = queue_any(&p->queue)) || (f = TAILQ_FIRST(&p->aside))) {
		attempt_withdraw(f);
		abort_one(f, why, now_us);
	}
}

/* Jobs of this pool that wait for nothing but a worker; more than workers is as good as that. Of
 * more lanes than workers some may be overlooked until others had their turn. */
static unsigned n_waiting(struct pool *p)
{
	struct amounts want = reservation_of(p);
	unsigned most = p->config.n_workers, n = 0, room;
	enum future_failure failure;

	if (p->config.sizing == SIZING_STATIC || p->is_paused || !first_with_room(p, &failure))
		return 0;
	for (uint32_t i = 0; i < p->queue.ready.n && i < most && n < most; i++) {
		uint64_t n_jobs;
		const struct future *f = queue_of_lane(&p->queue, i, &n_jobs);

		n += account_n_results(
			f->account, &want, n_jobs < most - n ? (unsigned)n_jobs : most - n);
	}
	room = accounts_n_results(&p->core->accounts, &want, most);
	if (n > room)
		n = room;
	return n ? n : 1;
}

static void take_and_assign(struct pool *p, uint64_t now_us)
{
	if (p->n_ahead)
		recall_late(p, now_us);
	if (p->is_paused)
		return;
	if (p->queue.n)
		(void)assign(p, now_us);
	do {
		if (!p->n_ahead || !slot_idle(p, now_us))
			break;
		recall_for_idle(p, now_us);
	} while (assign(p, now_us)); /* what was stolen may have been overdue */
}

void handover_turn(struct pool *p, uint64_t now_us)
{
	if (p->core->is_draining) {
		handover_abort(p, FAILURE_SHUTDOWN, now_us);
		return;
	}
	recall_unheard(p, now_us);
	sizing_shrink(p, n_waiting(p), now_us);
	/* If workers die in their first job, waiting ones still have their turn: a trial each. */
	if (pool_is_closed(p) || (pool_is_broken(p) && !p->is_failing_in_job))
		handover_abort(p, FAILURE_POOL, now_us);
	take_and_assign(p, now_us);
	sizing_grow(p, n_waiting(p), now_us);
}
