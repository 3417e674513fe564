/* Workers that die before they are of any use, as the witness counts them: who may be forked, who
 * may get a first job, and when jobs are refused. */
#include "tests/sim/world.h"

#define SECOND_US    1000000ull
#define PROOF_US     (10 * SECOND_US)
#define TRIAL_US     (1500 * 1000ull)
#define BROKEN_BLAME 10

static bool is_up(const struct slot *s)
{
	return s->state == SLOT_IDLE || s->state == SLOT_BUSY;
}

static bool is_suspect(const struct sizes *sizes)
{
	return sizes->failed_in_job && !sizes->has_answered;
}

static uint64_t back_off_us(const struct sizes *sizes)
{
	if (sizes->n_failed < 2)
		return 0;
	return sizes->n_failed < 9 ? 100000ull << (sizes->n_failed - 2) : PROOF_US;
}

static void recover(struct sizes *sizes)
{
	sizes->n_failed = sizes->blame = 0;
	sizes->failed_in_job = false;
	sizes->proven_us = UINT64_MAX;
	sizes->no_fork_before_us = 0;
}

/* ---- first jobs ---------------------------------------------------------------------------------
 */

/* This slot's worker got its first job after the last failure. */
static bool is_first_job(const struct sizes *sizes, const struct slot *s)
{
	const struct sized *sized = &sizes->of[s->number];

	return s->state == SLOT_BUSY && !sized->has_answered &&
	       sized->busy_since_us >= sizes->failed_us;
}

bool trials_is_wary(const struct sizes *sizes)
{
	return is_suspect(sizes) && sizes->n_failed >= 2;
}

/* Not before that may another worker get its first job. */
static uint64_t next_try_us(const struct sizes *sizes, const struct pool *p)
{
	uint64_t at_us = sizes->failed_us + back_off_us(sizes);

	for (unsigned i = 0; i < p->n_slots; i++)
		if (is_first_job(sizes, p->slots[i]) &&
			sizes->of[i].busy_since_us + TRIAL_US > at_us)
			at_us = sizes->of[i].busy_since_us + TRIAL_US;
	return at_us;
}

/* A first job runs for so long that it proves something. */
static bool is_proved_by_job(const struct sizes *sizes, const struct pool *p, uint64_t now_us)
{
	for (unsigned i = 0; i < p->n_slots && is_suspect(sizes); i++)
		if (is_first_job(sizes, p->slots[i]) &&
			now_us >= sizes->of[i].busy_since_us + PROOF_US)
			return true;
	return false;
}

/* The core knows first that a job proved something; it has to be right. */
static void believe(struct world *w, const struct pool *p)
{
	struct sizes *sizes = &w->sizes[world_pool_index(w, p)];

	if (!is_suspect(sizes) || p->n_failed_starts)
		return;
	if (!sizes->is_proved)
		world_fail(w, "pool %s thinks that it is well again", p->name);
	recover(sizes);
}

void trials_before_turn(struct world *w, const struct pool *p)
{
	struct sizes *sizes = &w->sizes[world_pool_index(w, p)];

	if (w->turn_us >= sizes->proven_us)
		recover(sizes);
	sizes->is_proved = is_proved_by_job(sizes, p, w->turn_us);
}

void trials_after_turn(struct world *w, const struct pool *p)
{
	struct sizes *sizes = &w->sizes[world_pool_index(w, p)];
	uint64_t now_us = w->turn_us;

	believe(w, p);
	if (is_proved_by_job(sizes, p, now_us))
		world_fail(w, "pool %s does not see that it is well again", p->name);
	sizes->may_try = false;
	for (unsigned i = 0; i < p->n_slots && trials_is_wary(sizes) && !p->queue.n; i++)
		sizes->may_try |= p->slots[i]->state == SLOT_IDLE && !sizes->of[i].has_answered &&
				  now_us >= next_try_us(sizes, p);
}

void trials_handed_over(struct world *w, const struct fake_worker *fw)
{
	const struct pool *p = fw->slot->pool;
	struct sizes *sizes = sizes_of(fw);
	struct sized *sized = sized_of(fw);

	believe(w, p);
	if (fw->slot->n_line)
		return;
	if (trials_is_wary(sizes) && !sized->has_answered && w->turn_us < next_try_us(sizes, p))
		world_fail(w, "worker %s/%u is risked early", p->name, fw->slot->number);
	sized->busy_since_us = w->turn_us;
}

bool trials_may_serve(const struct world *w, const struct slot *s)
{
	const struct sizes *sizes = &w->sizes[world_pool_index(w, s->pool)];

	return !trials_is_wary(sizes) || sizes->of[s->number].has_answered ||
	       w->turn_us >= next_try_us(sizes, s->pool);
}

/* ---- births -------------------------------------------------------------------------------------
 */

bool trials_is_starting(const struct sizes *sizes, const struct pool *p)
{
	return (sizes->n_failed || !p->is_proven) && p->n_by_state[SLOT_STARTING];
}

uint64_t trials_next_start_us(const struct sizes *sizes, const struct pool *p)
{
	uint64_t at_us = sizes->failed_us + back_off_us(sizes);
	uint64_t span_us = is_suspect(sizes) ? PROOF_US : TRIAL_US;
	bool is_slow = sizes->n_failed >= 2 || is_suspect(sizes);

	for (unsigned i = 0; i < p->n_slots && is_slow; i++) {
		const struct sized *sized = &sizes->of[i];

		if (is_up(p->slots[i]) && sized->fork > sizes->failed_fork &&
			sized->ready_us + span_us > at_us)
			at_us = sized->ready_us + span_us;
	}
	return at_us;
}

void trials_forked(struct world *w, const struct fake_worker *fw)
{
	const struct pool *p = fw->slot->pool;
	const struct sizes *sizes = sizes_of(fw);

	believe(w, p);
	if (trials_is_starting(sizes, p))
		world_fail(w, "a second trial of pool %s", p->name);
	if (sizes->n_failed && w->fake.now_us < trials_next_start_us(sizes, p))
		world_fail(w, "pool %s forks early after %u failures", p->name, sizes->n_failed);
}

void trials_ready(struct fake_worker *fw)
{
	struct sizes *sizes = sizes_of(fw);

	sized_of(fw)->ready_us = fw->fake->now_us;
	if (sizes->n_failed && sized_of(fw)->fork > sizes->failed_fork && !is_suspect(sizes))
		sizes->proven_us = fw->fake->now_us + PROOF_US;
}

/* ---- answers and deaths -------------------------------------------------------------------------
 */

void trials_answered(struct fake_worker *fw)
{
	struct sizes *sizes = sizes_of(fw);
	struct sized *sized = sized_of(fw);

	if (sized->fork > sizes->failed_fork || is_suspect(sizes))
		recover(sizes);
	sized->has_answered = sizes->has_answered = true;
}

static bool is_failed_start(const struct fake_worker *fw)
{
	const struct sized *sized = sized_of(fw);
	const struct sizes *sizes = sizes_of(fw);
	uint64_t now_us = fw->fake->now_us;

	switch (fw->slot->state) {
	case SLOT_STARTING: return sized->fork > sizes->failed_fork;
	case SLOT_IDLE:
		return sized->fork > sizes->failed_fork && !sized->has_answered &&
		       now_us - sized->ready_us < PROOF_US;
	case SLOT_BUSY:
		if (fw->was_killed || sized->has_answered)
			return false;
		if (sizes->has_answered)
			return sized->fork > sizes->failed_fork &&
			       now_us - sized->ready_us < PROOF_US;
		return is_first_job(sizes, fw->slot) && now_us - sized->busy_since_us < PROOF_US;
	default: return false;
	}
}

void trials_died(struct fake_worker *fw)
{
	struct sizes *sizes = sizes_of(fw);

	if (!is_failed_start(fw))
		return;
	sizes->n_failed++;
	if (!fw->was_killed)
		sizes->blame += 2;
	else if (fw->slot->state == SLOT_STARTING)
		sizes->blame++;
	sizes->failed_us = fw->fake->now_us;
	sizes->failed_in_job = fw->slot->state == SLOT_BUSY;
	sizes->failed_fork = sizes->n_forks;
	sizes->proven_us = UINT64_MAX;
}

/* ---- refusals -----------------------------------------------------------------------------------
 */

bool trials_has_broken(const struct world *w, const struct pool *p)
{
	return w->sizes[world_pool_index(w, p)].blame >= BROKEN_BLAME;
}

bool trials_is_broken(const struct world *w, const struct pool *p)
{
	const struct sizes *sizes = &w->sizes[world_pool_index(w, p)];

	if (!trials_has_broken(w, p) || (sizes->may_try && !p->queue.n))
		return false;
	for (unsigned i = 0; i < p->n_slots; i++)
		if (is_up(p->slots[i]) && (!is_suspect(sizes) || sizes->of[i].has_answered))
			return false;
	return true;
}
