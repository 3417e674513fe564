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
#include "daemon/core/pack.h"
#include "daemon/core/recall.h"
#include "daemon/core/reservation.h"
#include "daemon/core/sizing.h"
#include "daemon/core/trial.h"

/* There is no room for its result: why there never will be. NONE: there may be. */
static enum future_failure never_fits(const struct future *f)
{
	if (reservation_never_fits(future_pool(f)))
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

/* Some of them may not have every job: see pack_reaches(). */
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

/* The least burdened worker, if it may have this job ahead of need. Who is told of an end in the
 * middle of a turn may have changed what they are. */
static struct slot *slot_for_ahead(struct pool *p, const struct future *f, uint64_t now_us)
{
	struct heap_node *node;

	while ((node = heap_first(&p->takers))) {
		struct slot *s = of_taker(node);

		if (is_taker(s, now_us))
			return pack_reaches(s, s->n_line, s->ahead_ns, f) ? s : NULL;
		heap_clear(&p->takers, node);
	}
	return NULL;
}

/* So many jobs of what waits, that others who can take some have as many. A worker's first job
 * comes alone, and where one death is too much no other job is to be near it. What waits may have
 * no room for results; so who had nothing in the first round gets one in the second. */
static unsigned share_of(const struct slot *s, bool is_second)
{
	const struct pool *p = s->pool;
	uint64_t n_idle = p->n_by_state[SLOT_IDLE], n_free = p->config.n_workers - p->n_lines, n;

	if (!s->n_done || p->config.poison == 1 || (is_second && s->state == SLOT_IDLE))
		return 1;
	n = (n_idle < n_free ? n_idle : n_free) + p->takers.n;
	n = n ? (p->queue.n + n - 1) / n : p->queue.n;
	return n < POOL_PACK_JOBS ? (unsigned)n : POOL_PACK_JOBS;
}

/* The next one, if no clock ends it. */
static struct future *next_to_start(const struct pool *p, uint64_t now_us)
{
	struct future *f = queue_first(&p->queue);

	return f && (!future_terms(f) || terms_due(f, now_us) == FUTURE_CLOCK_NONE) ? f : NULL;
}

/* Hands f over, and what goes with it. False: f ended in place of starting. */
static bool hand_over(struct slot *s, struct future *f, bool is_second, uint64_t now_us)
{
	struct pool *p = s->pool;
	struct pack pack;
	int r;

	pack_begin(&pack, s, share_of(s, is_second));
	while (pack_add(&pack, f) == 0 && pack.n < pack.most && (f = next_to_start(p, now_us)) &&
		pack_has_room(&pack, f))
		;
	r = pack_send(&pack, now_us);
	if (r == CORE_E_TOO_LARGE) {
		f = pack.jobs[0];
		queue_remove(&p->queue, f);
		life_finish(p->core, f, FUTURE_FAILED, FAILURE_INPUTS, now_us);
		return false;
	}
	if (r != 0) {
		s->refused_turn = p->core->n_turns;
		p->core->want_turn = true;
	}
	if (pack.n > 0 && s->state == SLOT_IDLE) {
		s->busy_us = now_us;
		slot_set_state(s, SLOT_BUSY, now_us);
	}
	place_taker(s, now_us);
	return true;
}

/* Ends the job that is next if it cannot start: with this failure, or by a clock. */
static bool end_next(struct future *f, enum future_failure failure, uint64_t now_us)
{
	enum future_clock clock = terms_due(f, now_us);

	if (failure != FAILURE_NONE) {
		queue_remove(&future_pool(f)->queue, f);
		life_finish(future_pool(f)->core, f, FUTURE_FAILED, failure, now_us);
		return true;
	}
	if (clock != FUTURE_CLOCK_NONE)
		attempt_time_out(future_pool(f)->core, f, clock, now_us);
	return clock != FUTURE_CLOCK_NONE;
}

/* True if some job ended in place of starting. */
static bool assign(struct pool *p, bool is_second, uint64_t now_us)
{
	enum future_failure failure;
	bool has_ended = false;
	struct future *f;
	struct slot *s;

	if (queue_rejoin(&p->queue))
		p->core->is_short = true;
	gather_takers(p, now_us);
	while ((f = first_with_room(p, &failure))) {
		if (end_next(f, failure, now_us)) {
			has_ended = true;
			continue;
		}
		s = slot_idle(p, now_us);
		if (!s)
			s = slot_for_ahead(p, f, now_us);
		if (!s)
			break;
		has_ended |= !hand_over(s, f, is_second, now_us);
	}
	return has_ended;
}

static void abort_one(struct future *f, enum future_failure why, uint64_t now_us)
{
	struct core *c = future_pool(f)->core;
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
		if (p->slots[i]->state == SLOT_BUSY && line_has_more(p->slots[i]))
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
		(void)assign(p, false, now_us);
	do {
		if (!p->n_ahead || !slot_idle(p, now_us))
			break;
		recall_for_idle(p, now_us);
	} while (assign(p, true, now_us)); /* what was stolen may have been overdue */
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
