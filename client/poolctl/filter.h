/* Futures chosen by what they are, in place of their IDs. */
#pragma once

#include "client/poolctl/ids.h"

struct filter {
	const char *state, *pool, *group, *label;
	bool all;
	bool yes;
};

/* Rows of an option table; `s` has a struct filter called `m`. */
#define FILTER_OPTIONS(s, m)                                                                       \
	{0, "state", "STATE", "only futures in this state", OPT_TEXT, offsetof(s, m.state)},       \
		{'p', "pool", "POOL", "only of this pool", OPT_TEXT, offsetof(s, m.pool)},         \
		{'g', "group", "GROUP", "only of this group", OPT_TEXT, offsetof(s, m.group)},     \
	{                                                                                          \
		'l', "label", "LABEL", "only with this label", OPT_TEXT, offsetof(s, m.label)      \
	}
/* The same of verbs that take IDs else. */
#define FILTER_ALL_OPTION(s, m)                                                                    \
	{                                                                                          \
		'a', "all", NULL, "in place of IDs: all of yours", OPT_FLAG, offsetof(s, m.all)    \
	}
#define FILTER_YES_OPTION(s, m)                                                                    \
	{                                                                                          \
		'y', "yes", NULL, "do not ask", OPT_FLAG, offsetof(s, m.yes)                       \
	}

/* What a request is about. */
struct targets {
	struct ids ids;
	json_t *filter; /* in place of the IDs; NULL: these */
};

/* The operands are IDs, or options choose: one of both. Without --state a filter is about what is
 * unfinished if only that makes sense. 0 or the exit code. */
must_check int targets_parse(struct ctl *ctl, const struct filter *f, bool only_unfinished,
	int argc, char **argv, struct targets *ret);
void targets_deinit(struct targets *t);
/* As the parameter of a request; NULL without memory. */
must_check json_t *targets_json(const struct targets *t);
/* Beside a filter, on a terminal and without --yes, asks how many may be meant: "Cancel them?". 0,
 * or the exit code after a no. */
must_check int targets_confirm(
	struct ctl *ctl, const struct filter *f, const struct targets *t, const char *verb);
/* A filter becomes the IDs of those that match now. 0 or the exit code. */
must_check int targets_resolve(struct ctl *ctl, struct targets *t);
