/* Who should be handed over next: by rank within a uid, by the time that workers spent between uids.
 * The witness keeps times of his own, from what he sees of hand-overs and ends. */
#include <string.h>

#include "tests/sim/world.h"

typedef unsigned long long ull;

static bool waits(const struct future *f, const struct pool *p)
{
	return f->pool == p && f->state == FUTURE_QUEUED && !f->slot;
}

/* ---- within a uid -------------------------------------------------------------------------------
 */

static __int128 rank(struct world *w, const struct future *f)
{
	const struct record *r = world_record(w, f->id);

	if (!f->pool->config.ageing_us)
		return -(__int128)r->priority;
	return (__int128)r->entered_us - (__int128)r->priority * f->pool->config.ageing_us;
}

static bool is_before(struct world *w, const struct future *a, const struct future *b)
{
	__int128 x = rank(w, a), y = rank(w, b);

	return x != y ? x < y : a->id < b->id;
}

/* ---- between uids -------------------------------------------------------------------------------
 */

/* What a worker spent on a job that is over. */
static uint64_t used_us(const struct future *f)
{
	uint64_t end_us = f->started_us ? f->started_us + f->run_us : f->finished_us;

	if (!f->head_us)
		return 0;
	return end_us > f->head_us ? end_us - f->head_us : 1;
}

/* It is over, or came back: what its uid was charged is made right. */
static void settle(struct world *w, const struct future *f)
{
	struct record *r = world_record(w, f->id);
	uint64_t used = 0, more, paid;
	struct share *s;

	if (!r->is_charged || f->slot)
		return;
	s = &w->shares[world_pool_index(w, f->pool)].of[r->uid];
	r->is_charged = false;
	if (future_state_is_final(f->state))
		used = used_us(f);
	more = used > r->charge_us ? used - r->charge_us : 0;
	paid = more < s->lifted_us ? more : s->lifted_us;
	s->lifted_us -= paid;
	s->time_us += used - r->charge_us - paid;
}

void order_settle(struct world *w)
{
	struct future *f;

	TAILQ_FOREACH (f, &w->core->all, in_all)
		settle(w, f);
	/* One that there was no memory for never was. */
	TAILQ_FOREACH (f, &w->core->freed, in_line)
		if (f->id < w->first_id + w->n_records)
			settle(w, f);
}

void order_entered(struct world *w, const struct future *f)
{
	unsigned n_waiting = 0, n_in_lane = 0, n_in_queue = 0;
	struct shares *shares = &w->shares[world_pool_index(w, f->pool)];
	struct share *s = &shares->of[future_uid(f)];
	struct future *g;

	order_settle(w);
	TAILQ_FOREACH (g, &w->core->all, in_all) {
		if (g == f || g->pool != f->pool || !g->lane)
			continue;
		n_in_queue++;
		n_in_lane += g->account == f->account;
		n_waiting += g->account == f->account && waits(g, f->pool);
	}
	if (n_in_queue == 0)
		memset(shares->of, 0, sizeof(shares->of));
	if (n_waiting == 0 && s->time_us < shares->now_us) {
		s->lifted_us += shares->now_us - s->time_us;
		s->time_us = shares->now_us;
	}
	if (n_in_lane == 0)
		s->lifted_us = 0;
}

static void check_share(struct world *w, const struct future *f, uint32_t other)
{
	struct shares *shares = &w->shares[world_pool_index(w, f->pool)];
	uint32_t uid = future_uid(f);
	uint64_t mine = shares->of[uid].time_us, its = shares->of[other].time_us;
	bool *was = &shares->overtaken[other][uid];

	if (check_has_room(w, f->pool, other)) {
		if (its < mine)
			world_fail(w, "uid %u is served at %llu while uid %u waits at %llu", uid,
				(ull)mine, other, (ull)its);
		if (*was && its == mine)
			world_fail(w, "uid %u is served twice while uid %u waits", uid, other);
	}
	*was = true;
}

static void charge(struct world *w, const struct future *f)
{
	struct shares *shares = &w->shares[world_pool_index(w, f->pool)];
	struct share *s = &shares->of[future_uid(f)];
	struct record *r = world_record(w, f->id);

	if (shares->now_us < s->time_us)
		shares->now_us = s->time_us;
	r->is_charged = true;
	r->charge_us = f->function->mean_run_us;
	s->time_us += r->charge_us;
	memset(shares->overtaken[future_uid(f)], 0, sizeof(shares->overtaken[0]));
}

void check_hand_over(struct world *w, const struct future *f)
{
	bool does_wait[WORLD_UIDS] = {0};
	uint32_t uid = future_uid(f);
	struct future *g;

	order_settle(w);
	TAILQ_FOREACH (g, &w->core->all, in_all) {
		if (g == f || !waits(g, f->pool))
			continue;
		does_wait[future_uid(g)] = true;
		if (future_uid(g) == uid && is_before(w, g, f))
			world_fail(w, "%llu is handed over before %llu", (ull)f->id, (ull)g->id);
	}
	for (uint32_t other = 0; other < WORLD_UIDS; other++)
		if (other != uid && does_wait[other])
			check_share(w, f, other);
	charge(w, f);
}

/* A uid for which nothing waits has not been overtaken. */
void check_overtaken(struct world *w)
{
	bool does_wait[WORLD_POOLS][WORLD_UIDS] = {0};
	struct future *f;

	order_settle(w);
	TAILQ_FOREACH (f, &w->core->all, in_all)
		if (f->pool && waits(f, f->pool))
			does_wait[world_pool_index(w, f->pool)][future_uid(f)] = true;
	for (unsigned p = 0; p < w->n_pools; p++)
		for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
			if (!does_wait[p][uid])
				memset(w->shares[p].overtaken[uid], 0,
					sizeof(w->shares[p].overtaken[uid]));
}
