/* What a job waits for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/pool.h"

enum explain_kind {
	EXPLAIN_NOTHING,
	EXPLAIN_WORKER,	    /* one that is free; `ahead` jobs of the same uid come before it */
	EXPLAIN_QUOTA,	    /* room for its result beside what its owner, or all, hold */
	EXPLAIN_DELAY,	    /* its delay, or the back-off before its next run, until `until_us` */
	EXPLAIN_DEPENDENCY, /* the end of future `id`, perhaps among others */
	EXPLAIN_STARTING,   /* the pool has no worker; `until_us`: none is started before */
	EXPLAIN_DEGRADED,   /* likewise, since they die at start: `reason` */
	EXPLAIN_PAUSED,	    /* the pool is resumed */
};

struct explanation {
	enum explain_kind kind;
	const struct pool *pool;
	uint64_t id; /* 0: no future in particular */
	bool has_ahead;
	uint64_t ahead;
	uint64_t until_us;	/* 0: not known */
	const char *reason;	/* the pool's; NULL: not known */
	struct refusal refusal; /* of the quota: which limit */
};

/* Counts the jobs ahead up to `ahead_max`; 0: not at all. */
struct explanation explain(const struct future *f, uint64_t ahead_max, uint64_t now_us);
