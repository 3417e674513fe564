/* Reloads: a pool that comes and goes while jobs wait and run, and limits that change. */
#include "tests/sim/world.h"

typedef unsigned long long ull;

static struct pool *guest(struct world *w)
{
	return w->n_pools > w->n_stay ? w->pools[w->n_stay] : NULL;
}

static void come_or_go(struct world *w)
{
	struct pool *p = guest(w);

	if (!p) {
		if (w->core->is_closed || w->is_ending)
			return;
		world_say(w, "a pool is added");
		world_add_pool(w, "guest");
	} else if (p->state != POOL_REMOVED) {
		world_say(w, "pool %s is removed", p->name);
		core_remove_pool(p, w->fake.now_us);
		if (core_find_pool(w->core, p->name, 5))
			world_fail(w, "a removed pool is found");
		check_nobody_waits(w, p);
	}
}

/* ---- limits ---- */

static unsigned n_unfinished(struct world *w, uint32_t uid)
{
	struct future *f;
	unsigned n = 0;

	CORE_FOREACH (f, w->core)
		n += future_lane(f) && future_uid(f) == uid;
	return n;
}

/* A daemon refuses limits that results do not fit into. */
static bool do_results_fit(const struct world *w, const struct account_limits *l)
{
	for (unsigned i = 0; i < w->n_pools; i++) {
		const struct pool_config *c = &w->pools[i]->config;

		if (c->max_result_bytes <= w->limits.uid.n[ACCOUNT_BYTES] &&
			(c->max_result_bytes > l->uid.n[ACCOUNT_BYTES] ||
				c->max_result_bytes > l->all.n[ACCOUNT_BYTES]))
			return false;
		if (c->max_result_fds > l->uid.n[ACCOUNT_FDS] ||
			c->max_result_fds > l->all.n[ACCOUNT_FDS])
			return false;
	}
	return true;
}

void reload_count_jobs(struct world *w, uint32_t uid, struct by_jobs *ret)
{
	struct future *f;

	*ret = (struct by_jobs){0};
	if (!w->is_lenient && !w->is_lenient_to[uid])
		return;
	ret->is_first = w->is_lenient_to[uid];
	ret->is_first_of_all = w->is_lenient;
	w->n_ledgers++;
	CORE_FOREACH (f, w->core) {
		struct amounts held = ledger_held(w, f, world_record(w, f->id));
		bool is_mine = future_uid(f) == uid;

		for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
			ret->all.n[k] += held.n[k];
			ret->uid.n[k] += is_mine ? held.n[k] : 0;
		}
		ret->is_first_of_all &= !f->run->slot;
		ret->is_first &= !(is_mine && f->run->slot);
	}
}

static void change_limits(struct world *w)
{
	struct account_limits l = world_some_limits(w);

	/* Whether one without any counts as one with jobs is not to be told from outside. */
	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
		if (!n_unfinished(w, uid))
			return;
	if (!do_results_fit(w, &l))
		return;
	world_say(w, "other limits: %llu jobs, %llu bytes", (ull)l.uid.n[ACCOUNT_JOBS],
		(ull)l.uid.n[ACCOUNT_BYTES]);
	w->limits = l;
	w->is_lenient = true;
	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
		w->is_lenient_to[uid] = true;
	core_set_limits(w->core, &l);
}

void reload_note_jobs(struct world *w)
{
	bool has_jobs = false;

	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++) {
		bool has = n_unfinished(w, uid) > 0;

		w->is_lenient_to[uid] &= has;
		has_jobs |= has;
	}
	w->is_lenient &= has_jobs;
}

void reload_move(struct world *w)
{
	if (world_once_in(w, 2))
		come_or_go(w);
	else
		change_limits(w);
}

void reload_check_swept(struct world *w)
{
	const struct pool *p = guest(w);
	struct future *f;

	if (!p || p->state != POOL_REMOVED || p->n_by_state[SLOT_EMPTY] != p->n_slots)
		return;
	CORE_FOREACH (f, w->core)
		if (future_pool(f) == p)
			return;
	world_fail(w, "pool %s was removed, is not needed and stays", p->name);
}

static void dropped(struct fake *fake, struct pool *p)
{
	struct world *w = fake->user;

	world_say(w, "pool %s is gone", p->name);
	if (p != guest(w) || p->state != POOL_REMOVED)
		world_fail(w, "pool %s is gone, which stays", p->name);
	world_count_pool(w, p);
	w->n_pools--;
}

void reload_hooks(struct fake_hooks *hooks)
{
	hooks->dropped = dropped;
}
