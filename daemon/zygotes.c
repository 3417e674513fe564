/* Who owns what:
 *
 *	pool ── shell ──► its zygote
 *	prepared zygote ── pool ──► a pool that nobody finds: it becomes the new one, or what it
 *	                            learnt of its functions goes to the one that there is
 *	retired zygote ── pool ──► held, so that it is not freed while workers of it are there
 *
 * A zygote goes in steps. Retired, it is asked for no more forks. When those under way are through
 * it is sent home. When its process is reaped, and no worker is left that it forked, it is over:
 * its links write to its log limit and lie in its cgroup. The zygote of a removed pool stays, as
 * the memory of how the pool was configured, until the pool is freed.
 */
#include "daemon/zygotes.h"

#include <errno.h>
#include <string.h>

#include "daemon/answer.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/zygote.h"

static struct zygote *zygote_of(const struct pool *p)
{
	return p->shell;
}

/* ---- life ---- */

static bool wants_memory(const struct config *config)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (config->pools[i].memory_max_bytes)
			return true;
	return false;
}

void zygotes_init(
	struct zygotes *all, struct links *links, struct core *core, const struct config *config)
{
	*all = (struct zygotes){.links = links, .core = core};
	TAILQ_INIT(&all->all);
	cgroups_init(&all->cgroups, config->cgroup, wants_memory(config));
}

static void zygote_free(struct zygotes *all, struct zygote *z)
{
	TAILQ_REMOVE(&all->all, z, in_all);
	zygote_deinit(z);
	if (z->is_prepared)
		core_give_up_pool(z->pool);
	free(z);
}

void zygotes_deinit(struct zygotes *all)
{
	struct zygote *z;

	while ((z = TAILQ_FIRST(&all->all)))
		zygote_free(all, z);
	cgroups_deinit(&all->cgroups);
}

static struct pool_config core_config(const struct config_pool *c)
{
	return (struct pool_config){
		.name = c->name,
		.n_workers = c->workers,
		.n_standby = c->standby,
		.sizing = c->sizing,
		.min_spare = c->min_spare,
		.max_spare = c->max_spare,
		.idle_us = c->idle_us,
		.spawns_per_s = c->spawn_rate,
		.max_jobs = c->max_jobs,
		.max_age_us = c->max_age_us,
		.max_rss_kib = c->max_rss_bytes / 1024,
		.ahead_max = c->ahead,
		.ageing_us = c->ageing_us,
		.max_result_bytes = answer_reserve_bytes(c->max_result_bytes),
		.max_result_fds = ANSWER_RESERVE_FDS,
		.packed_result_bytes = answer_packed_bytes(c->max_result_bytes),
		.grace_us = c->grace_us,
		.timeout_us = c->timeout_us,
		.poison = c->poison,
	};
}

/* Also one that was removed: processes of it may be there. */
static bool is_in_core(const struct core *c, const char *name)
{
	for (const struct pool *p = core_first_pool(c); p; p = core_next_pool(p))
		if (strcmp(p->name, name) == 0)
			return true;
	return false;
}

/* A pool that is only prepared, and its zygote. */
static int zygote_new(struct zygotes *all, const struct config *config, const struct config_pool *c,
	unsigned n_workers, struct zygote **ret)
{
	struct pool_config pool = core_config(c);
	struct zygote *z = calloc(1, sizeof(*z));
	bool is_known = is_in_core(all->core, c->name);
	struct cgroup_pool cgroup;
	struct pool *p;
	int r;

	if (!z)
		return -ENOMEM;
	pool.n_workers = n_workers;
	r = core_prepare_pool(all->core, &pool, z, &p);
	if (r < 0) {
		free(z);
		return r;
	}
	cgroups_open_pool(&all->cgroups, c->name, c->user, &cgroup);
	if (!is_known)
		cgroup_pool_clear(&cgroup);
	if (c->memory_max_bytes)
		cgroups_open_zygote(&all->cgroups, &cgroup);
	r = zygote_init(z, all->links, c, config->worker, &cgroup, p);
	z->is_prepared = true;
	TAILQ_INSERT_TAIL(&all->all, z, in_all);
	if (r < 0)
		zygote_free(all, z);
	else
		*ret = z;
	return r;
}

int zygotes_add(struct zygotes *all, const struct config *config, const struct config_pool *c)
{
	struct zygote *z;
	int r;

	r = zygote_new(all, config, c, c->workers, &z);
	if (r == 0)
		zygotes_join(all, z);
	return r;
}

/* ---- another configuration ---- */

/* One that takes the place of another needs no workers of its own. */
int zygotes_prepare(struct zygotes *all, const struct config *config, const struct config_pool *c,
	bool is_new, struct zygote **ret)
{
	return zygote_new(all, config, c, is_new ? c->workers : 0, ret);
}

bool zygotes_is_ready(const struct zygote *z, const char **ret_reason)
{
	*ret_reason = NULL;
	if (z->pool->state == POOL_FAILED)
		*ret_reason = z->pool->reason ? z->pool->reason : "no memory for the reason";
	return z->pool->state == POOL_READY;
}

void zygotes_give_up(struct zygote *z)
{
	if (!z)
		return;
	zygote_retire(z);
	z->config = NULL;
	z->program = NULL;
}

static void limit_memory(struct zygotes *all, struct zygote *z)
{
	cgroups_limit_pool(&all->cgroups, &z->cgroup, z->pool->name, z->config->memory_max_bytes);
}

void zygotes_join(struct zygotes *all, struct zygote *z)
{
	z->is_prepared = false;
	core_join_pool(z->pool);
	limit_memory(all, z);
}

static void retire(struct zygote *z)
{
	core_hold_pool(z->pool);
	zygote_retire(z);
}

void zygotes_take_over(struct zygote *z, struct pool *p)
{
	struct zygote *before = zygote_of(p);
	struct pool *prepared = z->pool;

	core_pool_take_over(p, prepared, clock_now_us());
	p->shell = z;
	z->pool = p;
	z->limit.of = p->name;
	z->is_prepared = false;
	z->was_degraded = before->was_degraded;
	core_give_up_pool(prepared);
	retire(before);
}

void zygotes_change(
	struct zygotes *all, struct pool *p, const struct config_pool *c, bool is_resized)
{
	struct pool_config config = core_config(c);
	struct zygote *z = zygote_of(p);
	const struct config_pool *before = z->config;

	/* What an operator decided by hand holds until the file says something else. */
	if (!is_resized) {
		config.n_workers = p->config.n_workers;
		config.min_spare = p->config.min_spare;
		config.max_spare = p->config.max_spare;
	}
	core_pool_change(p, &config);
	z->config = c;
	if (c->memory_max_bytes != before->memory_max_bytes)
		limit_memory(all, z);
}

void zygotes_remove(struct pool *p, struct config_pool *own, uint64_t now_us)
{
	struct zygote *z = zygote_of(p);

	z->config = z->own_config = own;
	retire(z);
	core_remove_pool(p, now_us);
}

static const struct config_pool *find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	return NULL;
}

void zygotes_use(struct zygotes *all, const struct config *config)
{
	struct zygote *z;

	TAILQ_FOREACH (z, &all->all, in_all) {
		z->program = config->worker;
		if (z->own_config || z->is_prepared)
			continue;
		z->config = z->pool->state == POOL_REMOVED ? zygote_of(z->pool)->own_config
							   : find(config, z->pool->name);
	}
}

/* ---- the loop ---- */

static bool has_links(const struct zygote *z)
{
	const struct worker_link *l;

	TAILQ_FOREACH (l, &z->links->all, in_list)
		if (l->zygote == z)
			return true;
	TAILQ_FOREACH (l, &z->links->dead, in_list)
		if (l->zygote == z)
			return true;
	return false;
}

static void free_if_over(struct zygotes *all, struct zygote *z)
{
	if (z->is_over || z->state != ZYGOTE_GONE || has_links(z))
		return;
	z->is_over = true;
	if (!z->is_prepared)
		core_let_pool_go(z->pool);
	if (z->is_prepared || zygote_of(z->pool) != z)
		zygote_free(all, z);
}

bool zygotes_turn(struct zygotes *all)
{
	struct zygote *z, *next;
	bool has_died = false;

	for (z = TAILQ_FIRST(&all->all); z; z = next) {
		next = TAILQ_NEXT(z, in_all);
		if (z->is_dead && zygote_bury(z))
			has_died = true;
		if (z->is_retired)
			free_if_over(all, z);
		else
			zygote_tell_health(z);
	}
	return has_died;
}

void zygotes_drop_pool(struct zygotes *all, struct pool *p)
{
	zygote_free(all, zygote_of(p));
}

bool zygotes_are_settled(const struct zygotes *all)
{
	const struct zygote *z;

	TAILQ_FOREACH (z, &all->all, in_all)
		if (!z->has_settled)
			return false;
	return true;
}

unsigned zygotes_forks(const struct zygotes *all)
{
	const struct zygote *z;
	unsigned n = 0;

	TAILQ_FOREACH (z, &all->all, in_all)
		n += z->n_forks;
	return n;
}

unsigned zygotes_left(const struct zygotes *all)
{
	const struct zygote *z;
	unsigned n = 0;

	TAILQ_FOREACH (z, &all->all, in_all)
		n += z->process.pid != 0;
	return n;
}

void zygotes_dismiss(struct zygotes *all)
{
	struct zygote *z;

	TAILQ_FOREACH (z, &all->all, in_all)
		zygote_dismiss(z);
}
