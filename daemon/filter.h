/* Which futures a request is about, in place of their IDs: {group, state, pool, label}. */
#pragma once

#include "daemon/option.h"

struct filter {
	uint32_t states; /* 1 << state */
	struct text_view pool, group, label;
};

#define FILTER_INIT                                                                                \
	{                                                                                          \
		.states = UINT32_MAX                                                               \
	}

/* Rows of a table of options; `s` has a struct filter called `m`. */
#define FILTER_OPTIONS(s, m)                                                                       \
	OPTION("state", filter_read_states, s, m.states), OPTION("pool", option_text, s, m.pool),  \
		OPTION("group", option_text, s, m.group), OPTION("label", option_text, s, m.label)

/* Reader: the name of a state, or a list of them. */
bool filter_read_states(struct request *r, const char *key, void *into);
/* One that was released does not. */
bool filter_matches(const struct filter *fl, const struct future *f);

/* ---- going through a uid's futures; a filter with a group goes through its members alone ---- */

/* Whether it comes by this one, among those of its owner. */
bool filter_goes_through(const struct filter *fl, const struct future *f);
/* The oldest or newest of an account, or NULL; matching or not. */
struct future *filter_oldest(
	const struct filter *fl, const struct core *core, struct account *account);
struct future *filter_newest(
	const struct filter *fl, const struct core *core, struct account *account);
struct future *filter_newer(const struct filter *fl, struct future *f);
struct future *filter_older(const struct filter *fl, struct future *f);

/* As request_ids(), or a filter: the IDs of the requester's own futures that match. More than a
 * list may have: the oldest ones if a part will do, else it is refused. */
must_check bool filter_or_ids(struct request *r, enum request_order order, bool will_part_do,
	uint64_t **ret, size_t *ret_n);
