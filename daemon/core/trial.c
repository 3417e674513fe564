/* Trials: what is learnt from workers that die at start.
 *
 * A worker that dies before it was of any use is a failed start. Then one worker at a time is tried,
 * at once and then with a pause that doubles, until one of the trials answers a job or lives for a
 * while; the answers of older workers prove nothing. Several that were forked before the failure was
 * known count as one. A zygote's first worker is on trial too, so a module that cannot start costs one
 * fork and not one for each worker. If somebody else killed it, that too slows down the next start,
 * but is no reason to refuse jobs.
 */
#include "daemon/core/trial.h"

/* Back-off for failed starts: doubles from the first to the last. */
#define BACKOFF_FIRST_US (100 * 1000ull)
#define BACKOFF_LAST_US	 (10 * 1000 * 1000ull)
/* A worker that lived so long was no failed start. */
#define PROOF_US BACKOFF_LAST_US
/* With so many in a row one trial must have lived so long before there is a second one: a job that
 * comes may be what kills it. */
#define DEGRADED_STARTS 2
#define TRIAL_US	(1500 * 1000ull)
/* With so many in a row jobs are refused. */
#define BROKEN_STARTS 5

static void recover(struct pool *p)
{
	p->n_failed_starts = 0;
	p->n_own_failures = 0;
	p->spawn_at_us = 0;
	p->recover_at_us = HEAP_NEVER;
	if (!pool_is_closed(p))
		pool_set_reason(p, NULL);
}

void trial_turn(struct pool *p, uint64_t now_us)
{
	if (now_us >= p->recover_at_us)
		recover(p);
}

/* What was forked before is older code, and proves nothing, neither by its life nor by its death. */
void trial_begin_anew(struct pool *p)
{
	p->failed_serial = p->n_spawned;
	p->is_proven = false;
	recover(p);
}

/* ---- how it stands ---- */

bool trial_is_on(const struct pool *p)
{
	return p->n_failed_starts || !p->is_proven;
}

bool pool_is_degraded(const struct pool *p)
{
	return !pool_is_closed(p) && p->n_failed_starts >= DEGRADED_STARTS;
}

bool pool_is_broken(const struct pool *p)
{
	return p->n_own_failures >= BROKEN_STARTS && !p->n_by_state[SLOT_IDLE] &&
	       !p->n_by_state[SLOT_BUSY];
}

/* When the workers that were started since the last failure have lived for a while. */
static uint64_t ends_us(const struct pool *p)
{
	uint64_t last_us = 0;

	if (!pool_is_degraded(p))
		return 0;
	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct slot *s = p->slots[i];

		if ((s->state == SLOT_IDLE || s->state == SLOT_BUSY) &&
			s->serial > p->failed_serial && s->ready_us + TRIAL_US > last_us)
			last_us = s->ready_us + TRIAL_US;
	}
	return last_us;
}

uint64_t trial_next_us(const struct pool *p)
{
	uint64_t trial_us = ends_us(p);

	return trial_us > p->spawn_at_us ? trial_us : p->spawn_at_us;
}

/* ---- what is learnt ---- */

void trial_ready(struct slot *s, uint64_t now_us)
{
	struct pool *p = s->pool;

	p->is_proven |= s->serial > p->failed_serial;
	if (p->n_failed_starts && s->serial > p->failed_serial)
		p->recover_at_us = heap_after(now_us, PROOF_US);
}

void trial_answered(struct slot *s)
{
	struct pool *p = s->pool;

	if (p->n_failed_starts && s->serial > p->failed_serial)
		recover(p);
}

static bool is_failed_start(const struct slot *s, const struct worker_end *end, uint64_t now_us)
{
	if (s->state == SLOT_STARTING)
		return true;
	if (end->was_killed && s->state == SLOT_BUSY)
		return false; /* it was at work */
	return (s->state == SLOT_IDLE || s->state == SLOT_BUSY) && !s->n_done &&
	       now_us - s->ready_us < PROOF_US;
}

/* One death may be anybody's; a second one in a row tells. */
static uint64_t back_off_us(unsigned n_failed)
{
	if (n_failed < DEGRADED_STARTS)
		return 0;
	return n_failed < 9 ? BACKOFF_FIRST_US << (n_failed - 2) : BACKOFF_LAST_US;
}

void trial_died(struct slot *s, const struct worker_end *end, uint64_t now_us)
{
	struct pool *p = s->pool;

	if (!is_failed_start(s, end, now_us) || s->serial <= p->failed_serial)
		return;
	p->n_failed_starts++;
	p->n_own_failures += !end->was_killed;
	p->is_failing_in_job = s->state == SLOT_BUSY;
	p->failed_serial = p->n_spawned;
	p->recover_at_us = HEAP_NEVER;
	p->spawn_at_us = now_us + back_off_us(p->n_failed_starts);
	if (!pool_is_closed(p))
		pool_set_reason(p, end->how);
}
