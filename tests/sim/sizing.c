/* Operators, and how many workers there are: who is forked, who leaves, and when not. */
#include "tests/sim/world.h"

typedef unsigned long long ull;

struct sizes *sizes_of(const struct fake_worker *fw)
{
	struct world *w = fw->fake->user;

	return &w->sizes[world_pool_index(w, fw->slot->pool)];
}

struct sized *sized_of(const struct fake_worker *fw)
{
	return &sizes_of(fw)->of[fw->slot->number];
}

static unsigned serving(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slots[i]->state == SLOT_IDLE ||
		     (p->slots[i]->state == SLOT_BUSY && p->slots[i]->fate != FATE_ENDS);
	return n;
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

void sizes_configure(struct world *w, struct pool_config *config)
{
	if (world_once_in(w, 2)) {
		config->sizing = world_once_in(w, 2) ? SIZING_DYNAMIC : SIZING_ONDEMAND;
		config->min_spare = (unsigned)world_below(w, config->n_workers + 1);
		config->max_spare = config->min_spare + (unsigned)world_below(w, 3);
		config->idle_us = 1 + world_below(w, 4 * w->long_us);
	}
	if (world_once_in(w, 3))
		config->n_standby = 1 + (unsigned)world_below(w, 2);
	if (world_once_in(w, 3))
		config->spawns_per_s = 1 + (unsigned)world_below(w, 50);
	if (world_once_in(w, 3))
		config->max_jobs = 1 + world_below(w, 10);
	if (world_once_in(w, 3))
		config->max_age_us = 1 + world_below(w, 20 * w->long_us);
	if (world_once_in(w, 3))
		config->max_rss_kib = 1 + world_below(w, WORLD_RSS_KIB);
}

void sizes_begin(struct world *w, unsigned pool)
{
	w->sizes[pool].proven_us = UINT64_MAX;
	w->pools[pool]->is_proven = world_once_in(w, 2);
}

/* ---- operators ----------------------------------------------------------------------------------
 */

static void resize(struct world *w, struct pool *p)
{
	unsigned n = 1 + (unsigned)world_below(w, 5);
	unsigned spare = (unsigned)world_below(w, n + 1);

	core_pool_resize(p, n, spare, spare + (unsigned)world_below(w, 3));
	world_say(w, "pool %s is resized to %u", p->name, n);
}

static void pause_pool(struct world *w, struct pool *p)
{
	world_say(w, "pool %s is paused", p->name);
	w->sizes[world_pool_index(w, p)].is_paused = true;
	core_pool_pause(p, w->fake.now_us);
	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct fake_worker *fw = p->slots[i]->shell;

		for (unsigned k = 0; k < fw->n_inbox; k++)
			if (!fw->is_deaf && !fw->inbox[k].is_cancel && fw->kind <= KIND_SILENT)
				world_fail(w, "%llu lies in an inbox of a paused pool",
					(ull)fw->inbox[k].id);
	}
}

static void resume(struct world *w, struct pool *p)
{
	struct sizes *sizes = &w->sizes[world_pool_index(w, p)];

	sizes->is_paused = sizes->is_draining = false;
	core_pool_resume(p);
}

/* A reload finds other settings. */
static void change(struct world *w, struct pool *p)
{
	struct pool_config config = p->config;

	config.ahead_max = (unsigned)world_below(w, 4);
	config.n_standby = world_once_in(w, 2) ? 0 : (unsigned)world_below(w, 3);
	config.max_jobs = world_once_in(w, 2) ? 0 : 1 + world_below(w, 10);
	config.max_age_us = world_once_in(w, 2) ? 0 : 1 + world_below(w, 20 * w->long_us);
	if (config.ageing_us)
		config.ageing_us = 1 + world_below(w, w->long_us);
	world_say(w, "pool %s has other settings", p->name);
	core_pool_change(p, &config);
}

void sizes_move(struct world *w)
{
	struct pool *p = world_some_pool(w);

	switch (world_below(w, 9)) {
	case 0:
	case 1: resize(w, p); break;
	case 5: change(w, p); break;
	case 2: pause_pool(w, p); break;
	case 3:
		world_say(w, "pool %s is drained", p->name);
		w->sizes[world_pool_index(w, p)].is_draining = true;
		core_pool_drain(p);
		break;
	case 4:
		world_say(w, "pool %s is renewed", p->name);
		core_pool_renew(p);
		break;
	default: resume(w, p);
	}
}

void sizes_resume(struct world *w)
{
	for (unsigned i = 0; i < w->n_pools; i++)
		if (w->pools[i]->state != POOL_REMOVED)
			resume(w, w->pools[i]);
}

void sizes_close(struct world *w)
{
	world_say(w, "nothing new is taken");
	core_close(w->core);
	for (unsigned i = 0; i < w->n_pools; i++)
		w->sizes[i].is_draining = true;
}

/* ---- births and deaths --------------------------------------------------------------------------
 */

/* With those on standby. */
static unsigned all_of(const struct pool *p)
{
	return p->config.n_workers + p->config.n_standby;
}

static unsigned crowd_of(const struct pool *p)
{
	return all_of(p) + 1 + all_of(p) / 4;
}

static unsigned n_waiting(struct world *w, const struct pool *p)
{
	struct future *f;
	unsigned n = 0;

	CORE_FOREACH (f, w->core)
		n += future_pool(f) == p && f->state == FUTURE_QUEUED && !f->run->slot &&
		     check_has_room(w, p, future_uid(f));
	return n;
}

static unsigned n_staying(const struct pool *p)
{
	const unsigned *n = p->n_by_fate[FATE_STAYS];

	return n[SLOT_STARTING] + n[SLOT_IDLE] + n[SLOT_BUSY];
}

void sizes_forked(struct world *w, struct fake_worker *fw)
{
	const struct pool *p = fw->slot->pool;
	struct sizes *sizes = sizes_of(fw);

	if (fw->slot->fate != FATE_STAYS)
		world_fail(w, "a worker of pool %s is old when it is born", p->name);
	if (pool_is_closed(p))
		world_fail(w, "pool %s is closed and forks", p->name);
	trials_forked(w, fw);
	if (p->config.sizing == SIZING_ONDEMAND &&
		n_staying(p) >=
			p->n_by_fate[FATE_STAYS][SLOT_BUSY] + n_waiting(w, p) + p->config.n_standby)
		world_fail(w, "a worker of pool %s is forked for nobody", p->name);
	if (p->n_slots - p->n_by_state[SLOT_EMPTY] >= crowd_of(p))
		world_fail(w, "pool %s has a crowd of workers", p->name);
	if (w->fake.now_us < sizes->no_fork_before_us)
		world_fail(w, "pool %s forks before the time that was named", p->name);
	*sized_of(fw) = (struct sized){.fork = ++sizes->n_forks};
}

/* An idle worker that the daemon wants no more: there are enough without it. */
static void is_closed(struct fake_worker *fw)
{
	const struct pool *p = fw->slot->pool;
	struct world *w = fw->fake->user;

	if (pool_is_closed(p) || w->core->is_draining || sizes_of(fw)->is_draining || fw->n_rung ||
		fw->is_retired || fw->slot->fate == FATE_ENDS)
		return;
	if (p->config.sizing != SIZING_STATIC && fw->slot->fate == FATE_STAYS &&
		serving(p) < all_of(p) &&
		w->fake.now_us - sized_of(fw)->idle_since_us < p->config.idle_us)
		world_fail(w, "worker %s/%u is sent away that was idle for a moment", p->name,
			fw->slot->number);
	if (p->config.sizing == SIZING_STATIC && serving(p) < all_of(p))
		world_fail(w, "worker %s/%u leaves before its successor is ready", p->name,
			fw->slot->number);
}

static void has_answered(struct fake_worker *fw)
{
	const struct slot *s = fw->slot;
	uint64_t most_kib = s->pool->config.max_rss_kib;

	trials_answered(fw);
	if (most_kib && s->rss_kib > most_kib && s->fate == FATE_STAYS &&
		(s->state == SLOT_IDLE || s->state == SLOT_BUSY))
		world_fail(fw->fake->user, "worker %s/%u grew to %llu KiB and stays", s->pool->name,
			s->number, (ull)s->rss_kib);
}

void sizes_hooks(struct fake_hooks *hooks)
{
	hooks->ready = trials_ready;
	hooks->answered = has_answered;
	hooks->died = trials_died;
	hooks->closed = is_closed;
}

/* ---- what must hold -----------------------------------------------------------------------------
 */

void sizes_handed_over(struct world *w, const struct fake_worker *fw)
{
	const struct pool *p = fw->slot->pool;
	unsigned n = 0;

	if (pool_is_closed(p))
		world_fail(w, "pool %s is closed and hands over", p->name);
	trials_handed_over(w, fw);
	if (sizes_of(fw)->is_paused)
		world_fail(w, "pool %s is paused and hands over", p->name);
	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slots[i]->n_line > 0;
	if (!fw->slot->n_line && n >= p->config.n_workers)
		world_fail(
			w, "pool %s runs more than %u jobs at once", p->name, p->config.n_workers);
}

static void note_slot(struct sized *sized, const struct slot *s)
{
	sized->was_ending = s->fate == FATE_ENDS;
	sized->idle_since_us = s->state == SLOT_IDLE ? s->since_us : UINT64_MAX;
}

void sizes_before_turn(struct world *w)
{
	w->n_sent_off = w->fake.n_kills + w->fake.n_rings;
	for (unsigned i = 0; i < w->n_pools; i++) {
		const struct pool *p = w->pools[i];
		struct sizes *sizes = &w->sizes[i];

		if (!w->core->is_draining)
			trials_before_turn(w, p);
		for (unsigned k = 0; k < p->n_slots; k++)
			note_slot(&sizes->of[k], p->slots[k]);
	}
}

/* At least so many workers shall stay. */
static unsigned least_of(struct world *w, const struct sizes *sizes, const struct pool *p)
{
	unsigned n = p->config.n_workers, want;

	if (sizes->is_draining)
		return 0;
	if (p->config.sizing == SIZING_STATIC)
		return all_of(p);
	want = p->n_by_fate[FATE_STAYS][SLOT_BUSY] + (!sizes->is_paused && n_waiting(w, p) > 0);
	if (p->config.sizing == SIZING_DYNAMIC)
		want += p->config.min_spare;
	if (want)
		want = (want < n ? want : n) + p->config.n_standby;
	return want;
}

static void check_growth(
	struct world *w, const struct sizes *sizes, const struct pool *p, uint64_t now_us)
{
	if (p->state != POOL_READY || trials_is_starting(sizes, p) ||
		p->n_slots - p->n_by_state[SLOT_EMPTY] >= crowd_of(p) ||
		n_staying(p) >= least_of(w, sizes, p))
		return;
	if (!p->config.spawns_per_s &&
		(!sizes->n_failed || now_us >= trials_next_start_us(sizes, p)))
		world_fail(w, "pool %s lacks a worker and asks for none", p->name);
	if (!p->timer.pos)
		world_fail(w, "pool %s waits to start a worker without a timer", p->name);
}

static void check_shrinking(
	struct world *w, const struct sizes *sizes, const struct pool *p, uint64_t now_us)
{
	const struct slot *idle = TAILQ_FIRST(&p->by_state[SLOT_IDLE]);
	unsigned spare = p->config.sizing == SIZING_DYNAMIC
				 ? p->config.max_spare + p->config.n_standby
				 : 0;

	if (serving(p) > (pool_is_closed(p) ? 0 : all_of(p)))
		world_fail(w, "pool %s keeps too many workers", p->name);
	if (p->config.sizing == SIZING_STATIC || sizes->is_draining || p->queue.n ||
		p->n_by_state[SLOT_BUSY] || p->n_by_state[SLOT_IDLE] <= spare)
		return;
	if (now_us >= idle->since_us + p->config.idle_us)
		world_fail(w, "pool %s keeps a worker that is idle for long", p->name);
}

/* Of those who got their last job in this turn, none was needed. */
static void check_endings(struct world *w, const struct sizes *sizes, const struct pool *p)
{
	if (p->config.sizing != SIZING_STATIC || sizes->is_draining || pool_is_closed(p) ||
		w->n_sent_off != w->fake.n_kills + w->fake.n_rings)
		return;
	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct fake_worker *fw = p->slots[i]->shell;

		if (p->slots[i]->state == SLOT_BUSY && p->slots[i]->fate == FATE_ENDS &&
			!sizes->of[i].was_ending && !fw->is_retired && serving(p) < all_of(p))
			world_fail(
				w, "worker %s/%u ends before its successor is ready", p->name, i);
	}
}

void sizes_after_turn(struct world *w, uint64_t now_us, bool is_quiet)
{
	for (unsigned i = 0; i < w->n_pools && !w->core->is_draining; i++) {
		const struct pool *p = w->pools[i];
		const struct sizes *sizes = &w->sizes[i];

		trials_after_turn(w, p);
		if (is_quiet)
			check_growth(w, sizes, p, now_us);
		check_shrinking(w, sizes, p, now_us);
		if (p->queue.n && trials_is_broken(w, p) && !sizes->failed_in_job)
			world_fail(
				w, "jobs of pool %s wait for workers that die at start", p->name);
		check_endings(w, sizes, p);
	}
}
