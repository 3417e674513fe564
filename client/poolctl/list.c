#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"
#include "proto/limits.h"

struct args {
	const char *state, *pool, *group, *label;
	bool all;
	struct opt_number limit;
};

static const struct opt options[] = {
	{0, "state", "STATE", "only futures in this state", OPT_TEXT, offsetof(struct args, state)},
	{'p', "pool", "POOL", "only of this pool", OPT_TEXT, offsetof(struct args, pool)},
	{'g', "group", "GROUP", "only of this group", OPT_TEXT, offsetof(struct args, group)},
	{'l', "label", "LABEL", "only with this label", OPT_TEXT, offsetof(struct args, label)},
	{'a', "all", NULL, "of all users (administrators)", OPT_FLAG, offsetof(struct args, all)},
	{'n', "limit", "N", "the newest N; at most 1000", OPT_COUNT, offsetof(struct args, limit)},
	{0},
};

static const struct view_field fields[] = {
	{"ID", "id", VIEW_NUMBER},
	{"STATE", "state", VIEW_TEXT},
	{"POOL", "pool", VIEW_TEXT},
	{"FUNCTION", "function", VIEW_TEXT},
	{"AGE", "submitted_ns", VIEW_AGE},
	{"RAN", "timing.run", VIEW_SPAN},
	{"LABEL", "label", VIEW_TEXT},
};

static int print_ids(const json_t *futures)
{
	const json_t *future;
	size_t i;

	json_array_foreach (futures, i, future)
		output_line("%lld", (long long)json_integer_value(json_object_get(future, "id")));
	return 0;
}

static int print(struct ctl *ctl, json_t *futures)
{
	int r;

	if (!ctl->json && ctl->quiet)
		return print_ids(futures);
	r = view_tidy_all(futures);
	if (r < 0)
		return r;
	if (!ctl->json)
		return view_table(futures, fields, ARRAY_SIZE(fields), !ctl->no_legend);
	output_document(json_pack("{s:O}", "futures", futures));
	return 0;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	json_t *filter, *futures = NULL;
	int code, r;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code)
		return code;
	if (a->limit.set && a->limit.value > PROTO_LIST_MAX)
		return ctl_usage(ctl, "--limit: at most %u", PROTO_LIST_MAX);
	filter = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*}", "state", a->state, "pool", a->pool,
		"group", a->group, "label", a->label, "owner", a->all ? "all" : NULL);
	if (a->limit.set && filter)
		json_object_set_new(filter, "limit", json_integer(a->limit.value));
	code = ctl_ask(ctl, "list", json_pack("[o]", filter), &futures);
	if (code)
		return code;
	r = print(ctl, futures);
	json_decref(futures);
	return r < 0 ? ctl_own_failure(ctl, r, NULL) : EXITCODE_OK;
}

const struct verb verb_list = {
	.name = "list",
	.alias = "ls",
	.operands = "",
	.doc = "List your futures, the newest last",
	.more = "With --quiet it prints IDs alone.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
