/* Who should be handed over next: by rank within a uid, by the time that workers spent between
 * uids. The witness keeps times of his own, from what he sees of hand-overs and ends. */
#include <string.h>

#include "tests/sim/world.h"

typedef unsigned long long ull;

static bool waits(const struct future *f, const struct pool *p)
{
	return future_pool(f) == p && f->state == FUTURE_QUEUED && !f->run->slot;
}

/* ---- within a uid -------------------------------------------------------------------------------
 */

static __int128 rank(struct world *w, const struct future *f)
{
	const struct record *r = world_record(w, f->id);

	if (!future_pool(f)->config.ageing_us)
		return -(__int128)r->priority;
	return (__int128)r->entered_us - (__int128)r->priority * future_pool(f)->config.ageing_us;
}

static bool is_before(struct world *w, const struct future *a, const struct future *b)
{
	__int128 x = rank(w, a), y = rank(w, b);

	return x != y ? x < y : world_record(w, a->id)->entry < world_record(w, b->id)->entry;
}

uint64_t order_ahead(struct world *w, const struct future *f)
{
	const struct future *g;
	uint64_t n = 0;

	CORE_FOREACH (g, w->core)
		n += g != f && g->account == f->account && waits(g, future_pool(f)) &&
		     is_before(w, g, f);
	return n;
}

/* ---- between uids -------------------------------------------------------------------------------
 */

/* What a worker spent on a run that is over. */
static uint64_t used_us(const struct future *f, uint64_t now_us)
{
	uint64_t end_us = f->run->started_us ? f->run->started_us + f->run->run_us : now_us;

	if (!f->run->head_us)
		return 0;
	return end_us > f->run->head_us ? end_us - f->run->head_us : 1;
}

/* What its uid was charged is made right. */
static void correct(struct world *w, const struct future *f, uint64_t used)
{
	struct record *r = world_record(w, f->id);
	uint64_t more, paid;
	struct share *s;

	s = &w->shares[world_pool_index(w, future_pool(f))].of[r->uid];
	r->is_charged = false;
	more = used > r->charge_us ? used - r->charge_us : 0;
	paid = more < s->lifted_us ? more : s->lifted_us;
	s->lifted_us -= paid;
	s->time_us += used - r->charge_us - paid;
}

/* It is on its way to a worker. */
static bool is_packed(const struct world *w, const struct future *f)
{
	for (unsigned i = 0; i < w->n_packed; i++)
		if (w->packed[i] == f)
			return true;
	return false;
}

/* It came back from its worker. */
static void settle(struct world *w, const struct future *f)
{
	if (world_record(w, f->id)->is_charged && !f->run->slot && !is_packed(w, f))
		correct(w, f, 0);
}

void order_settle(struct world *w)
{
	struct future *f;

	CORE_FOREACH (f, w->core)
		settle(w, f);
	/* One that there was no memory for never was. */
	TAILQ_FOREACH (f, &w->core->freed, in_line)
		if (f->id < w->first_id + w->n_records)
			settle(w, f);
}

/* It is the first one of its uid to wait: that has not been overtaken. */
static void comes(struct world *w, const struct future *f)
{
	struct shares *shares = &w->shares[world_pool_index(w, future_pool(f))];
	const struct future *g;

	CORE_FOREACH (g, w->core)
		if (g != f && g->account == f->account && waits(g, future_pool(f)))
			return;
	memset(shares->overtaken[future_uid(f)], 0, sizeof(shares->overtaken[0]));
}

/* A job has entered its queue. */
static void entered(struct world *w, const struct future *f, uint64_t now_us)
{
	unsigned n_waiting = 0, n_in_lane = 0;
	struct shares *shares = &w->shares[world_pool_index(w, future_pool(f))];
	struct share *s = &shares->of[future_uid(f)];
	struct future *g;

	order_settle(w);
	comes(w, f);
	CORE_FOREACH (g, w->core) {
		if (g == f || future_pool(g) != future_pool(f) || !future_lane(g))
			continue;
		n_in_lane += g->account == f->account && (g->run->slot || waits(g, future_pool(f)));
		n_waiting += g->account == f->account && waits(g, future_pool(f));
	}
	if (n_waiting == 0 && s->time_us < shares->now_us) {
		s->lifted_us += shares->now_us - s->time_us;
		s->time_us = shares->now_us;
	}
	if (n_in_lane == 0)
		s->lifted_us = 0;
	/* The daemon may have looked at its clock earlier than others did. */
	if (shares->entered_us < now_us)
		shares->entered_us = now_us;
	world_record(w, f->id)->entered_us = shares->entered_us;
	world_record(w, f->id)->entry = ++w->n_entries;
}

/* The witness sees who comes and who has run: the linker calls these in place of the real ones. */
void __wrap_queue_enter(struct queue *q, struct future *f, uint64_t now_us);
void __real_queue_enter(struct queue *q, struct future *f, uint64_t now_us);
void __wrap_queue_put_back(struct queue *q, struct future *f);
void __real_queue_put_back(struct queue *q, struct future *f);
void __wrap_queue_settle(struct queue *q, struct future *f, uint64_t used_us);
void __real_queue_settle(struct queue *q, struct future *f, uint64_t used_us);

static struct world *world_of(const struct future *f)
{
	struct fake *fake = future_pool(f)->core->shell;

	return fake->user;
}

void __wrap_queue_enter(struct queue *q, struct future *f, uint64_t now_us)
{
	__real_queue_enter(q, f, now_us);
	if (f->id < world_of(f)->first_id + world_of(f)->n_records)
		entered(world_of(f), f, now_us);
}

void order_born(struct world *w, const struct future *f)
{
	struct shares *shares = &w->shares[world_pool_index(w, future_pool(f))];
	unsigned n_others = 0;
	struct future *g;

	CORE_FOREACH (g, w->core)
		n_others += g != f && future_pool(g) == future_pool(f) && future_lane(g);
	if (n_others == 0)
		memset(shares->of, 0, sizeof(shares->of));
	if (f->state == FUTURE_QUEUED)
		entered(w, f, f->submitted_us);
}

void __wrap_queue_put_back(struct queue *q, struct future *f)
{
	__real_queue_put_back(q, f);
	comes(world_of(f), f);
}

void __wrap_queue_settle(struct queue *q, struct future *f, uint64_t used)
{
	struct world *w = world_of(f);

	__real_queue_settle(q, f, used);
	if (world_record(w, f->id)->is_charged)
		correct(w, f, used_us(f, w->fake.now_us));
}

static void check_share(struct world *w, const struct future *f, uint32_t other)
{
	struct shares *shares = &w->shares[world_pool_index(w, future_pool(f))];
	uint32_t uid = future_uid(f);
	uint64_t mine = shares->of[uid].time_us, its = shares->of[other].time_us;
	bool *was = &shares->overtaken[other][uid];

	if (check_has_room(w, future_pool(f), other)) {
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
	struct shares *shares = &w->shares[world_pool_index(w, future_pool(f))];
	struct share *s = &shares->of[future_uid(f)];
	struct record *r = world_record(w, f->id);

	if (shares->now_us < s->time_us)
		shares->now_us = s->time_us;
	r->is_charged = true;
	r->charge_us = (function_mean_run_ns(f->function) + 999) / 1000;
	s->time_us += r->charge_us;
	memset(shares->overtaken[future_uid(f)], 0, sizeof(shares->overtaken[0]));
}

void check_hand_over(struct world *w, const struct future *f)
{
	bool does_wait[WORLD_UIDS] = {0};
	uint32_t uid = future_uid(f);
	struct future *g;

	order_settle(w);
	if (w->fake.now_us < world_record(w, f->id)->not_before_us)
		world_fail(w, "%llu is handed over before the time that was named", (ull)f->id);
	CORE_FOREACH (g, w->core) {
		if (g == f || !waits(g, future_pool(f)) || world_record(w, g->id)->is_charged)
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
	CORE_FOREACH (f, w->core)
		if (future_pool(f) && waits(f, future_pool(f)))
			does_wait[world_pool_index(w, future_pool(f))][future_uid(f)] = true;
	for (unsigned p = 0; p < w->n_pools; p++)
		for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
			if (!does_wait[p][uid])
				memset(w->shares[p].overtaken[uid], 0,
					sizeof(w->shares[p].overtaken[uid]));
}
