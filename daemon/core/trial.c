/* Trials: workers that die before they are of any use, and who is risked after that.
 *
 * A worker that dies before it was of any use is a failed start. Then one worker at a time is
 * tried, at once and then with a pause that doubles, until one of the trials answers a job or lives
 * for a while; the answers of older workers prove nothing. Several that were forked before the
 * failure was known count as one. A zygote's first worker is on trial too, so a module that cannot
 * start costs one fork and not one for each worker. If somebody else killed it, that too slows down
 * the next start, but is no reason to refuse jobs, unless it happens again and again before one is
 * ready.
 *
 * Where workers die in their first job, and none has ever answered one, living idly proves nothing.
 * Then few are forked, and those that are there and have not answered yet are not sacrificed one by
 * one: once it happened twice in a row they get a job one at a time, with the same pauses, until a
 * job is answered or runs for a while. If it goes on, jobs are refused, but for one whenever the
 * time for a trial has come. Jobs that wait already have their turn, a trial each: it may be others
 * that kill.
 */
#include "daemon/core/trial.h"

/* Back-off for failed starts: doubles from the first to the last. */
#define BACKOFF_FIRST_US (100 * 1000ull)
#define BACKOFF_LAST_US	 (10 * 1000 * 1000ull)
/* A worker that lived so long was no failed start, nor one whose job did. */
#define PROOF_US BACKOFF_LAST_US
/* With so many in a row one trial must have lived so long before there is a second one: a job that
 * comes may be what kills it. */
#define DEGRADED_STARTS 2
#define TRIAL_US	(1500 * 1000ull)
/* With so many points of blame in a row jobs are refused: five failures of its own, twice as many
 * if somebody else killed it before it was ready. */
#define BROKEN_BLAME 10
#define OWN_BLAME    2
#define KILLED_BLAME 1

static bool is_up(const struct slot *s)
{
	return s->state == SLOT_IDLE || s->state == SLOT_BUSY;
}

/* Workers die in first jobs, and no job was ever answered: it is the module's fault, not a
 * job's. */
static bool is_suspect(const struct pool *p)
{
	return p->is_failing_in_job && !p->has_answered;
}

/* Its first job was handed over when the last failure was known. */
static bool is_tried_since(const struct slot *s)
{
	return !s->n_done && s->busy_us >= s->pool->failed_us;
}

static bool is_newer(const struct slot *s)
{
	return s->serial > s->pool->failed_serial;
}

static void recover(struct pool *p)
{
	p->n_failed_starts = 0;
	p->blame = 0;
	p->is_failing_in_job = false;
	p->spawn_at_us = 0;
	p->recover_at_us = HEAP_NEVER;
	if (!pool_is_closed(p))
		pool_set_reason(p, NULL);
}

/* ---- health -------------------------------------------------------------------------------------
 */

bool pool_is_degraded(const struct pool *p)
{
	return !pool_is_closed(p) && p->n_failed_starts >= DEGRADED_STARTS;
}

/* Whether somebody is there who can run a job, as far as one knows. */
static bool has_hope(const struct pool *p)
{
	if (!is_suspect(p))
		return p->n_by_state[SLOT_IDLE] || p->n_by_state[SLOT_BUSY];
	if (p->may_try && !p->queue.n)
		return true;
	for (unsigned i = 0; i < p->n_slots; i++)
		if (is_up(p->slots[i]) && p->slots[i]->n_done)
			return true;
	return false;
}

bool pool_is_broken(const struct pool *p)
{
	return p->blame >= BROKEN_BLAME && !has_hope(p);
}

/* ---- first jobs ---------------------------------------------------------------------------------
 */

bool trial_is_wary(const struct pool *p)
{
	return is_suspect(p) && p->n_failed_starts >= DEGRADED_STARTS;
}

uint64_t trial_next_try_us(const struct pool *p)
{
	uint64_t at_us = p->spawn_at_us;
	const struct slot *s;

	if (trial_is_wary(p))
		TAILQ_FOREACH (s, &p->by_state[SLOT_BUSY], in_state)
			if (is_tried_since(s) && s->busy_us + TRIAL_US > at_us)
				at_us = s->busy_us + TRIAL_US;
	return trial_is_wary(p) ? at_us : 0;
}

/* When one of those on trial has proved itself. */
static uint64_t proved_by_job_us(const struct pool *p)
{
	uint64_t at_us = HEAP_NEVER;
	const struct slot *s;

	TAILQ_FOREACH (s, &p->by_state[SLOT_BUSY], in_state)
		if (is_tried_since(s) && s->busy_us + PROOF_US < at_us)
			at_us = s->busy_us + PROOF_US;
	return at_us;
}

/* Whether there is somebody for one more job. */
static bool may_try(const struct pool *p, uint64_t now_us)
{
	const struct slot *s;

	if (trial_is_wary(p) && !p->queue.n && now_us >= trial_next_try_us(p))
		TAILQ_FOREACH (s, &p->by_state[SLOT_IDLE], in_state)
			if (!s->n_done)
				return true;
	return false;
}

/* ---- once in a turn -----------------------------------------------------------------------------
 */

void trial_look(struct pool *p, uint64_t now_us)
{
	if (is_suspect(p))
		p->recover_at_us = proved_by_job_us(p);
	if (now_us >= p->recover_at_us)
		recover(p);
}

bool trial_is_starting(const struct pool *p)
{
	return (p->n_failed_starts || !p->is_proven) && p->n_by_state[SLOT_STARTING];
}

uint64_t trial_next_start_us(const struct pool *p)
{
	uint64_t span_us = is_suspect(p) ? PROOF_US : TRIAL_US, last_us = p->spawn_at_us;

	if (!pool_is_degraded(p) && !is_suspect(p))
		return last_us;
	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct slot *s = p->slots[i];

		if (is_up(s) && is_newer(s) && s->ready_us + span_us > last_us)
			last_us = s->ready_us + span_us;
	}
	return last_us;
}

uint64_t trial_next_us(struct pool *p, uint64_t now_us)
{
	uint64_t try_us = trial_next_try_us(p);

	if (is_suspect(p))
		p->recover_at_us = proved_by_job_us(p);
	p->may_try = may_try(p, now_us);
	return now_us < try_us && try_us < p->recover_at_us ? try_us : p->recover_at_us;
}

/* ---- what is learnt -----------------------------------------------------------------------------
 */

void trial_ready(struct slot *s, uint64_t now_us)
{
	struct pool *p = s->pool;

	p->is_proven |= is_newer(s);
	if (p->n_failed_starts && is_newer(s) && !is_suspect(p))
		p->recover_at_us = heap_after(now_us, PROOF_US);
}

void trial_answered(struct slot *s)
{
	struct pool *p = s->pool;

	if (s->serial <= p->old_serial)
		return;
	if (p->n_failed_starts && (is_newer(s) || is_suspect(p)))
		recover(p);
	p->has_answered = true;
}

/* A death in a first job tells more than the last failure did, if that job was handed over when it
 * was known; of a pool that has answered jobs, only that of a worker that was forked since. */
static bool is_failed_in_job(const struct slot *s, uint64_t now_us)
{
	if (s->n_done || s->serial <= s->pool->old_serial)
		return false;
	if (s->pool->has_answered)
		return is_newer(s) && now_us - s->ready_us < PROOF_US;
	return is_tried_since(s) && now_us - s->busy_us < PROOF_US;
}

static bool is_failed_start(const struct slot *s, const struct worker_end *end, uint64_t now_us)
{
	switch (s->state) {
	case SLOT_STARTING: return is_newer(s);
	case SLOT_IDLE: return is_newer(s) && !s->n_done && now_us - s->ready_us < PROOF_US;
	case SLOT_BUSY: /* somebody else may have killed it for its work */
		return !end->was_killed && is_failed_in_job(s, now_us);
	default: return false;
	}
}

static unsigned blame_of(const struct slot *s, const struct worker_end *end)
{
	if (!end->was_killed)
		return OWN_BLAME;
	return s->state == SLOT_STARTING ? KILLED_BLAME : 0;
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

	if (!is_failed_start(s, end, now_us))
		return;
	p->n_failed_starts++;
	p->blame += blame_of(s, end);
	p->is_failing_in_job = s->state == SLOT_BUSY;
	p->failed_serial = p->n_spawned;
	p->failed_us = now_us;
	p->recover_at_us = HEAP_NEVER;
	p->spawn_at_us = now_us + back_off_us(p->n_failed_starts);
	if (!pool_is_closed(p))
		pool_set_reason(p, end->how);
}

void trial_begin_anew(struct pool *p)
{
	p->failed_serial = p->old_serial = p->n_spawned;
	p->is_proven = p->has_answered = false;
	recover(p);
}
