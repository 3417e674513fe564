/* What another configuration would change. Compares, and nothing else. */
#pragma once

#include "daemon/config.h"

struct config_key;

/* How a key that was changed takes effect. */
enum config_effect {
	CONFIG_EFFECT_NOW,
	CONFIG_EFFECT_POOL,    /* by another zygote, and other workers, of its pool */
	CONFIG_EFFECT_RESTART, /* of the daemon */
};
enum config_effect config_key_effect(const struct config_key *key);

enum config_pool_fate {
	CONFIG_POOL_ADDED,
	CONFIG_POOL_REMOVED,
	CONFIG_POOL_RESTARTED, /* its processes are replaced */
	CONFIG_POOL_CHANGED,   /* it goes on with other settings */
	CONFIG_POOL_UNCHANGED,
	_CONFIG_POOL_FATE_MAX,
};
const char *config_pool_fate_name(enum config_pool_fate fate);

struct config_pool_diff {
	enum config_pool_fate fate;
	const char *name;	  /* of whichever there is */
	struct config_pool *old;  /* NULL: added */
	struct config_pool *next; /* NULL: removed */
	bool is_resized;	  /* the keys of its size differ */
};

/* No more keys than these are outside of pools. */
#define CONFIG_DIFF_KEYS 64

/* Names of keys. */
struct config_diff_keys {
	const char *names[CONFIG_DIFF_KEYS];
	size_t n;
};

struct config_diff {
	struct config_pool_diff *pools; /* those of next, in its order, then the removed ones */
	size_t n_pools;
	struct config_diff_keys now;	    /* of [daemon] and [limits]: have an effect at once */
	struct config_diff_keys at_restart; /* have none before a restart */
};

/* Both are borrowed and outlive it. -ENOMEM. */
must_check int config_diff_init(struct config_diff *d, struct config *old, struct config *next);
void config_diff_deinit(struct config_diff *d);
/* The pool of that name is to be restarted whether or not it differs. False: there is none. */
must_check bool config_diff_restart(struct config_diff *d, const char *name);
/* next shall say what is true until the restart, so it gets the values of `running` for the keys
 * that have no effect before; running, what it had. */
void config_keep_running(struct config *next, struct config *running);
