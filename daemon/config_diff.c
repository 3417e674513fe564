/* Configurations are compared key by key, by the table of keys: what a file says in other words is
 * no difference. A key of a pool that is not named here has its effect by other processes; a key of
 * [daemon], by a restart: a new key that nobody thought of is late, but never a lie.
 */
#include "daemon/config_diff.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/config_parse.h"

static_assert(
	KEY_POOL_handler <= CONFIG_DIFF_KEYS, "the keys outside of pools come first, and fit");

enum config_effect config_key_effect(const struct config_key *key)
{
	switch (key - config_keys) {
	case KEY_DAEMON_admin_group:
	case KEY_DAEMON_module_dir: /* by the modules that it leads to */
	case KEY_DAEMON_log_level:
	case KEY_DAEMON_stop_timeout:
	case KEY_DAEMON_busy_poll:
	case KEY_DAEMON_ttl:
	case KEY_POOL_workers:
	case KEY_POOL_standby:
	case KEY_POOL_sizing:
	case KEY_POOL_min_spare:
	case KEY_POOL_max_spare:
	case KEY_POOL_idle_timeout:
	case KEY_POOL_spawn_rate:
	case KEY_POOL_max_jobs:
	case KEY_POOL_max_age:
	case KEY_POOL_max_rss:
	case KEY_POOL_ahead:
	case KEY_POOL_ageing:
	case KEY_POOL_max_result:
	case KEY_POOL_grace:
	case KEY_POOL_timeout:
	case KEY_POOL_poison:
	case KEY_POOL_start_timeout:
	case KEY_POOL_memory_max:
	case KEY_POOL_allow: return CONFIG_EFFECT_NOW;
	case KEY_DAEMON_worker: return CONFIG_EFFECT_POOL;
	default: break;
	}
	switch (key->section) {
	case SECTION_LIMITS: return CONFIG_EFFECT_NOW;
	case SECTION_POOL: return CONFIG_EFFECT_POOL;
	default: return CONFIG_EFFECT_RESTART;
	}
}

static bool is_of_size(const struct config_key *key)
{
	switch (key - config_keys) {
	case KEY_POOL_workers:
	case KEY_POOL_sizing:
	case KEY_POOL_min_spare:
	case KEY_POOL_max_spare: return true;
	default: return false;
	}
}

const char *config_pool_fate_name(enum config_pool_fate fate)
{
	static const char *const names[_CONFIG_POOL_FATE_MAX] = {
		[CONFIG_POOL_ADDED] = "added",
		[CONFIG_POOL_REMOVED] = "removed",
		[CONFIG_POOL_RESTARTED] = "restarted",
		[CONFIG_POOL_CHANGED] = "changed",
		[CONFIG_POOL_UNCHANGED] = "unchanged",
	};

	return names[fate];
}

/* ---- values ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char *const *a, char *const *b)
{
	size_t i = 0;

	if (!a || !b)
		return (!a || !*a) && (!b || !*b);
	while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
		i++;
	return !a[i] && !b[i];
}

static bool same_bytes(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_allow(const struct config_allow *a, const struct config_allow *b)
{
	return a->everybody == b->everybody && a->n_uids == b->n_uids && a->n_gids == b->n_gids &&
	       same_bytes(a->uids, b->uids, a->n_uids * sizeof(*a->uids)) &&
	       same_bytes(a->gids, b->gids, a->n_gids * sizeof(*a->gids));
}

static bool same_mark(const struct config_mark *a, const struct config_mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed_ns == b->changed_ns;
}

static bool same_value(const struct config_key *key, const void *a_base, const void *b_base)
{
	const void *a = (const char *)a_base + key->offset, *b = (const char *)b_base + key->offset;

	switch (key->type) {
	case TYPE_PATH:
	case TYPE_DIRECTORY:
	case TYPE_PROGRAM:
	case TYPE_TEXT:
	case TYPE_GROUP:
	case TYPE_MODULE:
	case TYPE_USER:
	case TYPE_CPUS: return same_text(*(char *const *)a, *(char *const *)b);
	case TYPE_MODE: return *(const mode_t *)a == *(const mode_t *)b;
	case TYPE_LEVEL:
	case TYPE_HANDLER:
	case TYPE_SIZING:
	case TYPE_COUNT:
	case TYPE_NICE: return same_bytes(a, b, sizeof(int));
	case TYPE_TIME:
	case TYPE_SIZE:
	case TYPE_NUMBER:
	case TYPE_LIMIT: return *(const uint64_t *)a == *(const uint64_t *)b;
	case TYPE_ENV: return same_list(*(char **const *)a, *(char **const *)b);
	case TYPE_ALLOW: return same_allow(a, b);
	}
	return false;
}

/* ---- pools ---- */

static void worsen(struct config_pool_diff *d, enum config_pool_fate fate)
{
	if (fate < d->fate)
		d->fate = fate;
}

static void compare_pool(struct config_pool_diff *d)
{
	d->fate = CONFIG_POOL_UNCHANGED;
	for (size_t i = 0; i < _CONFIG_KEY_MAX; i++) {
		const struct config_key *k = &config_keys[i];

		if (k->section != SECTION_POOL || same_value(k, d->old, d->next))
			continue;
		d->is_resized |= is_of_size(k);
		worsen(d, config_key_effect(k) == CONFIG_EFFECT_NOW ? CONFIG_POOL_CHANGED
								    : CONFIG_POOL_RESTARTED);
	}
	if (!same_mark(&d->old->module_mark, &d->next->module_mark))
		worsen(d, CONFIG_POOL_RESTARTED);
}

static struct config_pool *find(struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

static void compare_pools(struct config_diff *d, struct config *old, struct config *next)
{
	for (size_t i = 0; i < next->n_pools; i++) {
		struct config_pool_diff *p = &d->pools[d->n_pools++];

		p->next = &next->pools[i];
		p->name = p->next->name;
		p->old = find(old, p->next->name);
		if (p->old)
			compare_pool(p);
		else
			p->fate = CONFIG_POOL_ADDED;
	}
	for (size_t i = 0; i < old->n_pools; i++)
		if (!find(next, old->pools[i].name))
			d->pools[d->n_pools++] = (struct config_pool_diff){
				.fate = CONFIG_POOL_REMOVED,
				.name = old->pools[i].name,
				.old = &old->pools[i],
			};
}

bool config_diff_restart(struct config_diff *d, const char *name)
{
	for (size_t i = 0; i < d->n_pools; i++) {
		struct config_pool_diff *p = &d->pools[i];

		if (!p->next || strcmp(p->name, name) != 0)
			continue;
		worsen(p, CONFIG_POOL_RESTARTED);
		return true;
	}
	return false;
}

/* ---- the whole ---- */

static void add_key(struct config_diff_keys *keys, const char *name)
{
	keys->names[keys->n++] = name;
}

static void compare_keys(struct config_diff *d, struct config *old, struct config *next)
{
	for (size_t i = 0; i < _CONFIG_KEY_MAX; i++) {
		const struct config_key *k = &config_keys[i];

		if (k->section == SECTION_POOL || same_value(k, old, next))
			continue;
		switch (config_key_effect(k)) {
		case CONFIG_EFFECT_RESTART: add_key(&d->at_restart, k->name); continue;
		case CONFIG_EFFECT_POOL:
			for (size_t p = 0; p < d->n_pools; p++)
				if (d->pools[p].old && d->pools[p].next)
					worsen(&d->pools[p], CONFIG_POOL_RESTARTED);
			break;
		default: break;
		}
		add_key(&d->now, k->name);
	}
}

int config_diff_init(struct config_diff *d, struct config *old, struct config *next)
{
	*d = (struct config_diff){0};
	d->pools = calloc(old->n_pools + next->n_pools, sizeof(*d->pools));
	if (!d->pools)
		return -ENOMEM;
	compare_pools(d, old, next);
	compare_keys(d, old, next);
	return 0;
}

void config_diff_deinit(struct config_diff *d)
{
	free(d->pools);
	*d = (struct config_diff){0};
}

/* ---- what stays ---- */

static size_t value_bytes(enum config_type type)
{
	switch (type) {
	case TYPE_MODE: return sizeof(mode_t);
	case TYPE_LEVEL:
	case TYPE_HANDLER:
	case TYPE_SIZING:
	case TYPE_COUNT:
	case TYPE_NICE: return sizeof(int);
	case TYPE_TIME:
	case TYPE_SIZE:
	case TYPE_NUMBER:
	case TYPE_LIMIT: return sizeof(uint64_t);
	case TYPE_ALLOW: return sizeof(struct config_allow);
	default: return sizeof(char *);
	}
}

static void swap(void *a, void *b, size_t n)
{
	char kept[sizeof(struct config_allow)];

	memcpy(kept, a, n);
	memcpy(a, b, n);
	memcpy(b, kept, n);
}

void config_keep_running(struct config *next, struct config *running)
{
	for (size_t i = 0; i < _CONFIG_KEY_MAX; i++) {
		const struct config_key *k = &config_keys[i];

		if (k->section != SECTION_POOL && config_key_effect(k) == CONFIG_EFFECT_RESTART)
			swap((char *)next + k->offset, (char *)running + k->offset,
				value_bytes(k->type));
	}
	next->socket_gid = running->socket_gid;
}
