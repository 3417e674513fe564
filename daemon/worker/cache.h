/* What a worker keeps of other futures' values from one run to the next: mappings of shared memory,
 * and what a module made of a value. IDs are never used again and values never change, so nothing
 * here is ever out of date. */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "proto/base.h"
#include "proto/limits.h"

/* One value: its byte strings in shared memory, in the order of their indexes, or its encoding. */
#define CACHE_PARTS PROTO_RESULT_FDS

struct cached_part {
	int fd;
	const void *p; /* NULL: not mapped yet */
	size_t len;
};

struct cached {
	TAILQ_ENTRY(cached) in_cache;
	uint64_t id;
	uint64_t used_us; /* when the last run with it ended */
	bool is_used;	  /* by this run: it stays */
	unsigned n_parts;
	struct cached_part parts[CACHE_PARTS];
	void *kept; /* a module's */
	size_t kept_bytes;
	void (*destroy)(void *kept);
};

struct cache {
	TAILQ_HEAD(cacheds, cached) all; /* those used last come first */
	unsigned n, n_fds;
	uint64_t bytes; /* mapped, and said of what is kept */
	uint64_t max_bytes;
};

void cache_init(struct cache *c, uint64_t max_bytes);
void cache_clear(struct cache *c);
/* That of this ID, which this run uses; NULL: there is none. */
struct cached *cache_find(struct cache *c, uint64_t id);
/* A new one without parts, which this run uses. NULL: no memory. */
struct cached *cache_add(struct cache *c, uint64_t id);
/* The parts become those behind these fds, which are the cache's from then on. It had none. */
void cache_set_parts(struct cache *c, struct cached *e, const int *fds, unsigned n);
/* Maps a part for the first time. 0, -EBADF: no sealed memfd, -errno. */
must_check int cache_map(struct cache *c, struct cached_part *part);
/* There will be no further run with it. Not during a run. */
void cache_forget(struct cache *c, uint64_t id);
/* In place of what was kept of it before. */
void cache_keep(
	struct cache *c, struct cached *e, void *kept, size_t bytes, void (*destroy)(void *kept));
/* A run is over: what is too much goes, what was used longest ago first. */
void cache_settle(struct cache *c, uint64_t now_us);
/* What was not used for a while goes. How many microseconds until there is more to do, or -1. */
int64_t cache_age(struct cache *c, uint64_t now_us);
