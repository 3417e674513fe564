/* A list in the order of use: few are kept, so looking through it costs less than anything else
 * that is done with them. What a run uses stands at its front and is safe until the run is over.
 *
 * Shared memory lives as long as somebody has it mapped, and that a value is no more is told once,
 * to workers that have room in their inbox: so there is a limit in bytes, and what nobody asked for
 * goes after a while.
 */
#include "daemon/worker/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/shm.h"

#define MAX_VALUES 64u
#define MAX_FDS	   128u
#define AGE_US	   (10u * 1000u * 1000u)

void cache_init(struct cache *c, uint64_t max_bytes)
{
	*c = (struct cache){.max_bytes = max_bytes};
	TAILQ_INIT(&c->all);
}

static void unkeep(struct cache *c, struct cached *e)
{
	if (e->destroy)
		e->destroy(e->kept);
	c->bytes -= e->kept_bytes;
	e->kept = NULL;
	e->kept_bytes = 0;
	e->destroy = NULL;
}

static void drop(struct cache *c, struct cached *e)
{
	unkeep(c, e);
	for (unsigned i = 0; i < e->n_parts; i++) {
		if (e->parts[i].p) {
			shm_unmap(e->parts[i].p, e->parts[i].len);
			c->bytes -= e->parts[i].len;
		}
		fd_close(e->parts[i].fd);
	}
	c->n_fds -= e->n_parts;
	c->n--;
	TAILQ_REMOVE(&c->all, e, in_cache);
	free(e);
}

void cache_clear(struct cache *c)
{
	struct cached *e;

	while ((e = TAILQ_FIRST(&c->all)))
		drop(c, e);
}

static struct cached *find(struct cache *c, uint64_t id)
{
	struct cached *e;

	TAILQ_FOREACH (e, &c->all, in_cache)
		if (e->id == id)
			break;
	return e;
}

void cache_forget(struct cache *c, uint64_t id)
{
	struct cached *e = find(c, id);

	if (e)
		drop(c, e);
}

struct cached *cache_find(struct cache *c, uint64_t id)
{
	struct cached *e = find(c, id);

	if (!e)
		return NULL;
	e->is_used = true;
	TAILQ_REMOVE(&c->all, e, in_cache);
	TAILQ_INSERT_HEAD(&c->all, e, in_cache);
	return e;
}

struct cached *cache_add(struct cache *c, uint64_t id)
{
	struct cached *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct cached){.id = id, .is_used = true};
	TAILQ_INSERT_HEAD(&c->all, e, in_cache);
	c->n++;
	return e;
}

void cache_set_parts(struct cache *c, struct cached *e, const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		e->parts[i] = (struct cached_part){.fd = fds[i]};
	e->n_parts = n;
	c->n_fds += n;
}

int cache_map(struct cache *c, struct cached_part *part)
{
	size_t len;
	int r;

	if (part->p)
		return 0;
	r = shm_check(part->fd, SIZE_MAX, &len);
	if (r > 0)
		return -EBADF;
	if (r == 0)
		r = shm_map(part->fd, len, &part->p);
	if (r < 0)
		return r;
	part->len = len;
	c->bytes += len;
	return 0;
}

void cache_keep(
	struct cache *c, struct cached *e, void *kept, size_t bytes, void (*destroy)(void *kept))
{
	unkeep(c, e);
	e->kept = kept;
	e->kept_bytes = bytes < c->max_bytes ? bytes : (size_t)c->max_bytes + 1;
	e->destroy = destroy;
	c->bytes += e->kept_bytes;
}

static bool is_too_much(const struct cache *c)
{
	return c->n > MAX_VALUES || c->n_fds > MAX_FDS || c->bytes > c->max_bytes;
}

void cache_settle(struct cache *c, uint64_t now_us)
{
	struct cached *e;

	TAILQ_FOREACH (e, &c->all, in_cache) {
		if (!e->is_used)
			break;
		e->is_used = false;
		e->used_us = now_us;
	}
	while (is_too_much(c) && (e = TAILQ_LAST(&c->all, cacheds)))
		drop(c, e);
}

int64_t cache_age(struct cache *c, uint64_t now_us)
{
	struct cached *e;

	while ((e = TAILQ_LAST(&c->all, cacheds)) && now_us - e->used_us >= AGE_US)
		drop(c, e);
	return e ? (int64_t)(AGE_US - (now_us - e->used_us)) : -1;
}
