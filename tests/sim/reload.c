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

void reload_move(struct world *w)
{
	come_or_go(w);
}

void reload_check_swept(struct world *w)
{
	const struct pool *p = guest(w);
	struct future *f;

	if (!p || p->state != POOL_REMOVED || p->n_by_state[SLOT_EMPTY] != p->n_slots)
		return;
	TAILQ_FOREACH (f, &w->core->all, in_all)
		if (f->pool == p)
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
