/* How pools come, change and go.
 *
 * A pool comes in two steps, so that a configuration can be made ready as a whole before any of it
 * counts: the first may fail, the second cannot. It goes by and by: from its removal on nobody
 * finds it and what waited is aborted; what runs ends; and its futures, which point to it and to
 * its functions, keep it in memory for as long as they are kept themselves.
 *
 * A change never reaches back. What a job was given when it was submitted (its time-out, its grace)
 * or handed over (the room for its result) stays its own, so a job that runs ends as it would have.
 */
#include "daemon/core/pools.h"

#include <string.h>

#include "daemon/core/handover.h"
#include "daemon/core/life.h"
#include "daemon/core/sizing.h"

static const char why_removed[] = "it was removed from the configuration";

/* ---- which --------------------------------------------------------------------------------------
 */

struct pool *core_first_pool(const struct core *c)
{
	struct pool *p = TAILQ_FIRST(&c->pools);

	return p ? p : TAILQ_FIRST(&c->removed);
}

struct pool *core_next_pool(const struct pool *p)
{
	struct pool *next = TAILQ_NEXT(p, in_core);

	return next || p->state == POOL_REMOVED ? next : TAILQ_FIRST(&p->core->removed);
}

struct pool *core_find_pool(struct core *c, const char *name, size_t len)
{
	struct pool *p;

	TAILQ_FOREACH (p, &c->pools, in_core)
		if (p->name_len == len && *p->name == *name && memcmp(p->name, name, len) == 0)
			return p;
	return NULL;
}

/* ---- coming -------------------------------------------------------------------------------------
 */

static void give_timers(struct core *c, unsigned n)
{
	c->n_timers -= n;
}

/* One for each slot, one for the pool. */
static int take_timers(struct core *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r = life_add_timer(c);

		if (r < 0) {
			give_timers(c, i);
			return r;
		}
	}
	return 0;
}

static void drop(struct pool *p)
{
	heap_clear(&p->core->timers, &p->timer);
	give_timers(p->core, p->n_slots + 1);
	pool_free(p);
}

int core_prepare_pool(
	struct core *c, const struct pool_config *config, void *shell, struct pool **ret)
{
	int r;

	r = take_timers(c, config->n_workers + 1);
	if (r < 0)
		return r;
	r = pool_new(c, config, shell, ret);
	if (r < 0)
		give_timers(c, config->n_workers + 1);
	return r;
}

void core_join_pool(struct pool *p)
{
	TAILQ_INSERT_TAIL(&p->core->pools, p, in_core);
	p->core->n_pool_changes++;
}

void core_give_up_pool(struct pool *p)
{
	if (p)
		drop(p);
}

int core_add_pool(struct core *c, const struct pool_config *config, void *shell, struct pool **ret)
{
	int r;

	r = core_prepare_pool(c, config, shell, ret);
	if (r == 0)
		core_join_pool(*ret);
	return r;
}

/* ---- what its zygote comes to -------------------------------------------------------------------
 */

void core_pool_starting(struct pool *p)
{
	p->state = POOL_STARTING;
}

void core_pool_ready(struct pool *p)
{
	p->state = POOL_READY;
	p->is_proven = false;
}

void core_pool_failed(struct pool *p, const char *reason, uint64_t now_us)
{
	pool_set_failed(p, reason);
	handover_abort(p, FAILURE_POOL, now_us);
	admissions_try_all(p->core);
}

void core_pool_take_over(struct pool *p, struct pool *from, uint64_t now_us)
{
	pool_take_functions(p, from);
	p->state = POOL_READY;
	sizing_begin_anew(p, now_us);
	admissions_try_all(p->core);
}

/* ---- changing -----------------------------------------------------------------------------------
 */

static void set_ageing(struct pool *p, uint64_t ageing_us)
{
	struct future *f;

	for (unsigned i = 0; i < p->n_slots; i++)
		TAILQ_FOREACH (f, &p->slots[i]->line, in_line)
			queue_rank_anew(&p->queue, f, ageing_us);
	queue_set_ageing(&p->queue, ageing_us);
}

void core_pool_change(struct pool *p, const struct pool_config *config)
{
	if (config->ageing_us != p->config.ageing_us)
		set_ageing(p, config->ageing_us);
	if (config->max_result_bytes > p->config.max_result_bytes)
		accounts_be_lenient(&p->core->accounts);
	p->config = *config;
	p->config.name = p->name;
	sizing_changed(p);
	admissions_try_all(p->core);
}

void core_set_limits(struct core *c, const struct account_limits *limits)
{
	accounts_set_limits(&c->accounts, limits);
}

/* ---- going --------------------------------------------------------------------------------------
 */

void core_remove_pool(struct pool *p, uint64_t now_us)
{
	TAILQ_REMOVE(&p->core->pools, p, in_core);
	TAILQ_INSERT_TAIL(&p->core->removed, p, in_core);
	p->core->n_pool_changes++;
	p->state = POOL_REMOVED;
	pool_set_reason(p, why_removed);
	handover_abort(p, FAILURE_POOL, now_us);
	admissions_try_all(p->core);
}

void core_hold_pool(struct pool *p)
{
	p->n_users++;
}

void core_let_pool_go(struct pool *p)
{
	p->n_users--;
}

void pools_sweep(struct core *c)
{
	struct pool *next;

	for (struct pool *p = TAILQ_FIRST(&c->removed); p; p = next) {
		next = TAILQ_NEXT(p, in_core);
		if (p->n_users || pool_workers(p))
			continue;
		TAILQ_REMOVE(&c->removed, p, in_core);
		if (c->ops->drop_pool)
			c->ops->drop_pool(c->shell, p);
		pool_add_sums(&c->gone, p);
		drop(p);
	}
}

static void clear(struct pools *pools)
{
	struct pool *p;

	while ((p = TAILQ_FIRST(pools))) {
		TAILQ_REMOVE(pools, p, in_core);
		pool_free(p);
	}
}

void pools_clear(struct core *c)
{
	clear(&c->pools);
	clear(&c->removed);
}
