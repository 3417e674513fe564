/* A scope is made by the first watch that joins it and goes with the last. Clients choose the names
 * of groups, so the hash is keyed.
 */
#include "daemon/watch_scope.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/tag.h"

#define HASH_NONFATAL_OOM 1 /* out of memory is an error like others, not the end */
#include <uthash.h>

struct watch_scope {
	struct watch_places places;
	UT_hash_handle hh;
	uint8_t key[];
};

/* The bytes of a key: kind, uid, text. */
struct packed_key {
	uint8_t bytes[1 + sizeof(uint32_t) + TAG_TEXT_BYTES];
	size_t len;
	unsigned hash;
};

static struct packed_key pack(const struct watch_scopes *all, const struct watch_key *key)
{
	struct packed_key p;
	struct siphash h;

	assert(key->len <= TAG_TEXT_BYTES);
	p.bytes[0] = (uint8_t)key->kind;
	memcpy(p.bytes + 1, &key->uid, sizeof(key->uid));
	p.len = 1 + sizeof(key->uid);
	if (key->len)
		memcpy(p.bytes + p.len, key->text, key->len);
	p.len += key->len;
	siphash_begin(&h, all->seed);
	siphash_add(&h, p.bytes, p.len);
	p.hash = (unsigned)siphash_end(&h);
	return p;
}

static struct watch_scope *find(const struct watch_scopes *all, const struct packed_key *p)
{
	struct watch_scope *s;

	HASH_FIND_BYHASHVALUE(hh, all->by_key, p->bytes, p->len, p->hash, s);
	return s;
}

static struct watch_scope *scope_new(struct watch_scopes *all, const struct packed_key *p)
{
	struct watch_scope *s = calloc(1, sizeof(*s) + p->len);

	if (!s)
		return NULL;
	memcpy(s->key, p->bytes, p->len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, all->by_key, s->key, p->len, p->hash, s);
	if (s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

int watch_scope_join(
	struct watch_scopes *all, const struct watch_key *key, struct watch_place *place)
{
	struct packed_key p = pack(all, key);
	struct watch_scope *s = find(all, &p);

	if (!s)
		s = scope_new(all, &p);
	if (!s)
		return -ENOMEM;
	LIST_INSERT_HEAD(&s->places, place, in_scope);
	place->scope = s;
	return 0;
}

void watch_scope_leave(struct watch_scopes *all, struct watch_place *place)
{
	struct watch_scope *s = place->scope;

	if (!s)
		return;
	LIST_REMOVE(place, in_scope);
	place->scope = NULL;
	if (!LIST_EMPTY(&s->places))
		return;
	HASH_DEL(all->by_key, s);
	free(s);
}

struct watch_places *watch_scope_find(const struct watch_scopes *all, const struct watch_key *key)
{
	struct packed_key p = pack(all, key);
	struct watch_scope *s = find(all, &p);

	return s ? &s->places : NULL;
}
