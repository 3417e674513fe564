/* A name is made with its first tag and goes with the last. Clients choose the texts, so the hash
 * is keyed; uthash does the rest. Every future is charged for the whole of its names, although the
 * members of a group share one.
 */
#include "daemon/core/tag.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/future.h"

#define HASH_NONFATAL_OOM 1 /* out of memory is an error like others, not the end */
#include <uthash.h>

/* What a name is found by: the bytes of both, up to the end of the text. */
struct tag_key {
	uint32_t uid;
	char text[TAG_TEXT_BYTES];
};

struct tag_name {
	struct tag_list tags;
	UT_hash_handle hh;
	char *text; /* behind the key's uid, with a 0 behind it */
	uint32_t key[];
};

static size_t key_bytes(size_t len)
{
	return offsetof(struct tag_key, text) + len;
}

static void fill_key(struct tag_key *key, uint32_t uid, const char *text, size_t len)
{
	assert(len <= TAG_TEXT_BYTES);
	key->uid = uid;
	memcpy(key->text, text, len);
}

static unsigned hash_of(const struct tag_table *table, const struct tag_key *key, size_t len)
{
	struct siphash h;

	siphash_begin(&h, table->seed);
	siphash_add(&h, key, key_bytes(len));
	return (unsigned)siphash_end(&h);
}

static struct tag_name *find(
	const struct tag_table *table, const struct tag_key *key, size_t len, unsigned hash)
{
	struct tag_name *n;

	HASH_FIND_BYHASHVALUE(hh, table->by_text, key, key_bytes(len), hash, n);
	return n;
}

struct tag_list *tag_find(const struct tag_table *table, uint32_t uid, const char *text, size_t len)
{
	struct tag_name *n;
	struct tag_key key;

	if (len > TAG_TEXT_BYTES)
		return NULL;
	fill_key(&key, uid, text, len);
	n = find(table, &key, len, hash_of(table, &key, len));
	return n ? &n->tags : NULL;
}

const char *tag_text(const struct tag *t)
{
	return t->name->text;
}

static size_t name_bytes(size_t len)
{
	return sizeof(struct tag_name) + key_bytes(len) + 1;
}

static struct tag_name *name_new(
	struct tag_table *table, const struct tag_key *key, size_t len, unsigned hash)
{
	struct tag_name *n = calloc(1, name_bytes(len));

	if (!n)
		return NULL;
	TAILQ_INIT(&n->tags);
	memcpy(n->key, key, key_bytes(len));
	n->text = (char *)n->key + offsetof(struct tag_key, text);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, table->by_text, n->key, key_bytes(len), hash, n);
	if (!n->hh.tbl) {
		free(n);
		return NULL;
	}
	return n;
}

static int attach(
	struct tag_table *table, struct tag *t, struct future *f, const char *text, size_t len)
{
	struct tag_key key;
	unsigned hash;

	if (!text)
		return 0;
	fill_key(&key, future_uid(f), text, len);
	hash = hash_of(table, &key, len);
	t->name = find(table, &key, len, hash);
	if (!t->name)
		t->name = name_new(table, &key, len, hash);
	if (!t->name)
		return -ENOMEM;
	t->future = f;
	TAILQ_INSERT_TAIL(&t->name->tags, t, in_name);
	return 0;
}

static void detach(struct tag_table *table, struct tag *t)
{
	struct tag_name *n = t->name;

	if (!n)
		return;
	TAILQ_REMOVE(&n->tags, t, in_name);
	t->name = NULL;
	if (!TAILQ_EMPTY(&n->tags))
		return;
	HASH_DEL(table->by_text, n);
	free(n);
}

size_t tags_bytes(const struct tag_wishes *w)
{
	size_t n = 0;

	if (w->group)
		n += name_bytes(w->group_len);
	if (w->key)
		n += name_bytes(w->key_len);
	return n ? sizeof(struct tags) + n : 0;
}

int tags_new(struct tag_table *groups, struct tag_table *keys, struct future *f,
	const struct tag_wishes *w, struct tags **ret)
{
	struct tags *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->content = w->content;
	r = attach(groups, &t->group, f, w->group, w->group_len);
	if (r == 0)
		r = attach(keys, &t->key, f, w->key, w->key_len);
	if (r < 0)
		tags_free(groups, keys, t);
	else
		*ret = t;
	return r;
}

struct tags *tags_free(struct tag_table *groups, struct tag_table *keys, struct tags *t)
{
	if (!t)
		return NULL;
	detach(groups, &t->group);
	detach(keys, &t->key);
	free(t);
	return NULL;
}

void tags_drop_key(struct tag_table *keys, struct tags *t)
{
	if (t)
		detach(keys, &t->key);
}
