/* Tags: texts of a client's choice by which its futures are found. A group has any number of
 * members, a key leads to one future as long as that can be found. Each uid has its own. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/siphash.h"

/* The longest text. */
#define TAG_TEXT_BYTES 128

struct future;
struct tag_name;

/* As a submit says it; a text that is NULL was not given. */
struct tag_wishes {
	const char *group, *key;
	size_t group_len, key_len;
	uint64_t content; /* with a key: the fingerprint of what was submitted */
};

/* A future under one name. */
struct tag {
	struct tag_name *name; /* NULL: it has none */
	struct future *future;
	TAILQ_ENTRY(tag) in_name;
};
TAILQ_HEAD(tag_list, tag);

/* Those of one future. */
struct tags {
	struct tag group, key;
	uint64_t content;
};

/* All names of a kind. */
struct tag_table {
	struct tag_name *by_text; /* uthash */
	const struct siphash_key *seed;
};

/* What they count for; 0: there is none. */
size_t tags_bytes(const struct tag_wishes *w);
/* f's tags, under their names. -ENOMEM. */
__attribute__((warn_unused_result)) int tags_new(struct tag_table *groups, struct tag_table *keys,
	struct future *f, const struct tag_wishes *w, struct tags **ret);
/* Takes NULL, returns NULL. */
struct tags *tags_free(struct tag_table *groups, struct tag_table *keys, struct tags *t);
/* Its key leads nowhere from now on. Takes NULL. */
void tags_drop_key(struct tag_table *keys, struct tags *t);

/* The futures under a name of this uid, oldest first; NULL if there are none. */
struct tag_list *tag_find(
	const struct tag_table *table, uint32_t uid, const char *text, size_t len);
/* A tag's text. */
const char *tag_text(const struct tag *t);
