/* What a waiting job is said to wait for: always something, and it is so. Times that were named are
 * remembered: what waits for them does not happen before. */
#include "daemon/core/explain.h"
#include "tests/sim/world.h"

typedef unsigned long long ull;

/* So far `ahead` is counted. */
#define AHEAD_MAX 8

static bool has_worker(const struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->state == SLOT_IDLE || p->slots[i]->state == SLOT_BUSY ||
			p->slots[i]->state == SLOT_RINGING)
			return true;
	return false;
}

static bool is_true_of_queued(
	struct world *w, const struct future *f, const struct explanation *e, bool is_quiet)
{
	struct sizes *sizes = &w->sizes[world_pool_index(w, future_pool(f))];
	bool has_room = check_has_room(w, future_pool(f), future_uid(f));

	if (f->run->slot)
		return e->kind == EXPLAIN_WORKER;
	if (pool_is_closed(future_pool(f)))
		return !is_quiet; /* it came back from a worker, and ends with this turn */
	if (sizes->is_paused || e->kind == EXPLAIN_PAUSED)
		return sizes->is_paused && e->kind == EXPLAIN_PAUSED;
	if (trials_is_wary(sizes) && has_worker(future_pool(f)))
		return !has_room ? e->kind == EXPLAIN_QUOTA
				 : e->kind == EXPLAIN_DEGRADED && e->reason;
	if (e->until_us > sizes->no_fork_before_us)
		sizes->no_fork_before_us = e->until_us;
	switch (e->kind) {
	case EXPLAIN_STARTING:
		return has_room && !has_worker(future_pool(f)) && sizes->n_failed < 2;
	case EXPLAIN_DEGRADED:
		return has_room && !has_worker(future_pool(f)) && sizes->n_failed >= 2 &&
		       e->reason &&
		       (e->until_us || !is_quiet || future_pool(f)->state != POOL_READY ||
			       future_pool(f)->n_by_state[SLOT_STARTING] ||
			       future_pool(f)
				       ->n_by_state[SLOT_LEAVING]); /* in whose crowd none starts */
	case EXPLAIN_QUOTA:
		return !has_room && e->refusal.value > e->refusal.max &&
		       e->refusal.max == (e->refusal.of_uid ? &w->limits.uid : &w->limits.all)
						 ->n[e->refusal.kind];
	case EXPLAIN_WORKER: return has_worker(future_pool(f)) && has_room;
	default: return false;
	}
}

static bool is_true_of_delayed(struct record *r, const struct explanation *e)
{
	r->not_before_us = e->until_us;
	return e->kind == EXPLAIN_DELAY &&
	       (r->n_started || e->until_us >= r->submitted_us + r->wishes.delay_us);
}

static bool is_true_of_blocked(
	struct world *w, const struct record *r, const struct explanation *e, bool is_quiet)
{
	for (unsigned i = 0; i < r->n_after; i++)
		if (r->after[i] == e->id)
			return e->kind == EXPLAIN_DEPENDENCY &&
			       (!is_quiet || !world_record(w, e->id)->is_final);
	return false;
}

static bool is_true(
	struct world *w, const struct future *f, const struct explanation *e, bool is_quiet)
{
	struct record *r = world_record(w, f->id);

	switch (f->state) {
	case FUTURE_DELAYED: return is_true_of_delayed(r, e);
	case FUTURE_BLOCKED: return is_true_of_blocked(w, r, e, is_quiet);
	case FUTURE_QUEUED: return is_true_of_queued(w, f, e, is_quiet);
	default: return e->kind == EXPLAIN_NOTHING;
	}
}

static void check_ahead(struct world *w, const struct future *f)
{
	uint64_t n = explain(f, AHEAD_MAX, w->fake.now_us).ahead, want = order_ahead(w, f);

	if (n != (want < AHEAD_MAX ? want : AHEAD_MAX))
		world_fail(w, "%llu is said to stand behind %llu, not %llu", (ull)f->id, (ull)n,
			(ull)want);
}

void check_reasons(struct world *w, bool is_quiet)
{
	struct future *f;

	CORE_FOREACH (f, w->core) {
		struct explanation e;

		if (!future_pool(f))
			continue;
		e = explain(f, 0, w->fake.now_us);
		if (!is_true(w, f, &e, is_quiet))
			world_fail(w, "%llu, in state %d, is said to wait for what is not so: %d",
				(ull)f->id, f->state, e.kind);
		if (is_quiet && f->state == FUTURE_QUEUED && !f->run->slot &&
			f->id % 5 == w->step % 5)
			check_ahead(w, f);
	}
}
