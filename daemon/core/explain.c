/* One reason is told, the one that has to go first: in a pool that is paused nothing starts, nor
 * does it without room for a result (so that no worker is started for it either), nor without a
 * worker, and then it is one's turn that counts. That a pool drains is no reason: what was
 * submitted before runs.
 *
 * `ahead` are the jobs of the same uid that would be handed over before it if nothing else came:
 * its place in its own lane. Jobs of other uids are not counted: workers' time is shared between
 * uids, so their number says little, and it is not for others to know.
 */
#include "daemon/core/explain.h"

#include "daemon/core/edge.h"
#include "daemon/core/reservation.h"
#include "daemon/core/sizing.h"
#include "daemon/core/trial.h"

static bool has_worker(const struct pool *p)
{
	return p->n_by_state[SLOT_IDLE] || p->n_by_state[SLOT_BUSY] || p->n_by_state[SLOT_RINGING];
}

static void explain_no_worker(struct explanation *e, uint64_t now_us)
{
	uint64_t next_us = sizing_next_start_us(e->pool);

	e->kind = EXPLAIN_STARTING;
	e->until_us = next_us > now_us ? next_us : 0;
	if (pool_is_degraded(e->pool)) {
		e->kind = EXPLAIN_DEGRADED;
		e->reason = e->pool->reason;
	}
}

/* Others run, perhaps, but no more than one is risked. */
static void explain_trial(struct explanation *e, uint64_t now_us)
{
	uint64_t next_us = trial_next_try_us(e->pool);

	e->kind = EXPLAIN_DEGRADED;
	e->until_us = next_us > now_us ? next_us : 0;
	e->reason = e->pool->reason;
}

static bool has_room(const struct future *f, struct refusal *ret_refusal)
{
	struct amounts want = reservation_of(future_pool(f));

	return account_check_result(f->account, &want, ret_refusal) == 0;
}

static void explain_queued(
	struct explanation *e, const struct future *f, uint64_t ahead_max, uint64_t now_us)
{
	const struct pool *p = future_pool(f);

	e->pool = p;
	e->has_ahead = ahead_max > 0;
	if (f->run->slot) { /* in an inbox, behind what that worker runs */
		e->kind = EXPLAIN_WORKER;
		return;
	}
	if (e->has_ahead)
		e->ahead = queue_ahead(f, ahead_max);
	if (p->is_paused)
		e->kind = EXPLAIN_PAUSED;
	else if (!has_room(f, &e->refusal))
		e->kind = EXPLAIN_QUOTA;
	else if (!has_worker(p))
		explain_no_worker(e, now_us);
	else if (trial_is_wary(p))
		explain_trial(e, now_us);
	else
		e->kind = EXPLAIN_WORKER;
}

struct explanation explain(const struct future *f, uint64_t ahead_max, uint64_t now_us)
{
	struct explanation e = {.kind = EXPLAIN_NOTHING};

	switch (f->state) {
	case FUTURE_DELAYED:
		e.kind = EXPLAIN_DELAY;
		e.until_us = future_terms(f)->not_before_us;
		break;
	case FUTURE_BLOCKED:
		e.kind = EXPLAIN_DEPENDENCY;
		e.id = edges_first(f)->id;
		break;
	case FUTURE_QUEUED: explain_queued(&e, f, ahead_max, now_us); break;
	default: break;
	}
	return e;
}
