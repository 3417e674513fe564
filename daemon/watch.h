/* A client's watch: futures, and what it is told of them. */
#pragma once

#include "daemon/core/core.h"
#include "daemon/pending.h"
#include "daemon/watch_scope.h"

struct watched;

/* All watches. */
struct watches {
	struct core *core;
	struct watch *by_number; /* uthash */
	struct watch_scopes scopes;
	uint64_t last_number;
	uint64_t n;	    /* watches */
	uint64_t n_watched; /* futures that they tell of, summed over them */
	uint64_t bytes;	    /* charged for all of that */
};

/* What a watch is for. */
struct watch_wishes {
	bool progress, output;
	bool is_of_all;	     /* of the uid, from now on */
	bool is_of_everyone; /* with is_of_all: whosever */
	const char *group;   /* of the uid, also later ones; NULL: none */
	size_t group_len;
};

void watches_init(struct watches *all, struct core *core);
/* A future is there, and its request has succeeded: those who watch for such ones watch it. */
void watches_joined(struct watches *all, struct future *f);

/* Charged to the connection's uid, and its own from now on: 0, ACCOUNT_E_ with *ret_refusal,
 * -ENOMEM. It has no futures yet. */
must_check int watch_new(struct watches *all, struct conn *c, const struct watch_wishes *wishes,
	struct watch **ret, struct refusal *ret_refusal);
/* With all its futures; nothing is told any more. */
void watch_remove(struct watch *w);
/* One of this connection, or NULL. */
struct watch *watch_find(const struct watches *all, const struct conn *c, uint64_t number);
uint64_t watch_number(const struct watch *w);
/* Watches f, which may be final, until it has told its end. Returns as watch_new(); 0 also if it
 * watches it already. */
must_check int watch_take(struct watch *w, struct future *f, struct refusal *ret_refusal);
