/* All zygotes: the one that each pool has; those that are prepared for a configuration that is not
 * decided; and those that are retired, of which something is left. */
#pragma once

#include "daemon/cgroup.h"
#include "daemon/config.h"
#include "daemon/core/core.h"
#include "daemon/worker_link.h"

struct zygote;

struct zygotes {
	TAILQ_HEAD(, zygote) all;
	struct links *links;
	struct core *core;
	struct cgroups cgroups;
};

/* The configuration is borrowed until zygotes_use(). */
void zygotes_init(
	struct zygotes *all, struct links *links, struct core *core, const struct config *config);
/* Their processes were reaped. */
void zygotes_deinit(struct zygotes *all);

/* A pool, and a zygote that is started for it. -errno. */
must_check int zygotes_add(
	struct zygotes *all, const struct config *config, const struct config_pool *c);

/* ---- another configuration: first all that may fail ---- */

/* Starts a zygote for a pool that is new, or that shall have another one. */
must_check int zygotes_prepare(struct zygotes *all, const struct config *config,
	const struct config_pool *c, bool is_new, struct zygote **ret);
/* Is it ready? Else *ret_reason: why it never will be; NULL: not yet. */
must_check bool zygotes_is_ready(const struct zygote *z, const char **ret_reason);
/* Takes NULL. */
void zygotes_give_up(struct zygote *z);

/* ---- then all that cannot ---- */

/* The new pool is there. */
void zygotes_join(struct zygotes *all, struct zygote *z);
/* p has it from now on; what it had goes when its last fork is through. */
void zygotes_take_over(struct zygote *z, struct pool *p);
/* The pool's settings become c's; with is_resized, also its size. */
void zygotes_change(
	struct zygotes *all, struct pool *p, const struct config_pool *c, bool is_resized);
/* The pool is removed; `own` is its configuration, taken over. */
void zygotes_remove(struct pool *p, struct config_pool *own, uint64_t now_us);
/* The configuration that counts. No pointer to another one is left. */
void zygotes_use(struct zygotes *all, const struct config *config);

/* ---- the loop ---- */

/* Buries the dead, frees those that are over. True: somebody died. */
must_check bool zygotes_turn(struct zygotes *all);
/* The pool is about to be freed. */
void zygotes_drop_pool(struct zygotes *all, struct pool *p);
/* Every pool has its functions, or failed. */
bool zygotes_are_settled(const struct zygotes *all);
/* Fork requests under way. */
unsigned zygotes_forks(const struct zygotes *all);
/* Processes that are there. */
unsigned zygotes_left(const struct zygotes *all);
void zygotes_dismiss(struct zygotes *all);
