/* What may be changed of a future after its birth. */
#include "daemon/core/core.h"

#include "daemon/core/edge.h"
#include "daemon/core/life.h"
#include "daemon/core/reservation.h"

int core_set_priority(struct future *f, int32_t priority)
{
	if (!future_pool(f) || future_state_is_final(f->state))
		return CORE_E_OVER;
	if (f->lane)
		return queue_set_priority(&future_pool(f)->queue, f, priority);
	f->priority = priority;
	return 0;
}

void core_set_ttl(struct core *c, struct future *f, uint64_t ttl_us)
{
	f->ttl_us = ttl_us;
	account_stir(f->account);
	if (future_state_is_final(f->state))
		life_arm(c, f);
}

/* ---- what the record holds ---- */

static bool is_unfinished_job(const struct future *f)
{
	return future_pool(f) && !future_state_is_final(f->state);
}

int core_keep(struct future *f, uint32_t bytes, struct refusal *ret_refusal)
{
	struct amounts want = {.n = {[ACCOUNT_BYTES] = bytes}}, result;
	int r;

	if (is_unfinished_job(f)) {
		result = reservation_beside_job(f);
		r = account_take_job(f->account, &want, &result, ret_refusal);
	} else {
		r = account_take(f->account, &want, ret_refusal);
	}
	if (r)
		return r;
	f->kept_bytes += bytes;
	f->texts_bytes += bytes; /* or later_bytes */
	return 0;
}

/* What counts as the job's goes first. */
static void hold_less(struct future *f, uint32_t bytes)
{
	uint32_t of_job = bytes < f->texts_bytes ? bytes : f->texts_bytes;
	struct amounts held = {.n = {[ACCOUNT_BYTES] = of_job}};

	account_job_over(f->account, &held);
	f->texts_bytes -= of_job;
}

void core_unkeep(struct future *f, uint32_t bytes)
{
	if (is_unfinished_job(f))
		hold_less(f, bytes);
	else
		edges_lend_less(f, bytes);
	account_give_one(f->account, ACCOUNT_BYTES, bytes);
	f->kept_bytes -= bytes;
}
