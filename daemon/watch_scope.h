/* Watches of futures that are not there yet, found by what those will belong to. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/siphash.h"
#include "proto/base.h"

struct watch;
struct watch_scope;

enum watch_scope_kind {
	WATCH_GROUP,	/* of a uid */
	WATCH_UID,	/* all of a uid */
	WATCH_EVERYONE, /* all */
};

/* A watch in one scope. */
struct watch_place {
	LIST_ENTRY(watch_place) in_scope;
	struct watch_scope *scope; /* NULL: in none */
	struct watch *watch;
};
LIST_HEAD(watch_places, watch_place);

struct watch_scopes {
	struct watch_scope *by_key; /* uthash; NULL: there is none */
	const struct siphash_key *seed;
};

/* What a scope is known by; uid and text are 0 where the kind has none. */
struct watch_key {
	enum watch_scope_kind kind;
	uint32_t uid;
	const char *text; /* TAG_TEXT_BYTES at most */
	size_t len;
};

/* -ENOMEM. */
must_check int watch_scope_join(
	struct watch_scopes *all, const struct watch_key *key, struct watch_place *place);
/* One that is in none is fine. */
void watch_scope_leave(struct watch_scopes *all, struct watch_place *place);
/* NULL: nobody is in it. */
struct watch_places *watch_scope_find(const struct watch_scopes *all, const struct watch_key *key);
