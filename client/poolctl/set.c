#include <limits.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	struct opt_number priority;
	const char *label;
	struct opt_time ttl;
};

static const struct opt options[] = {
	{0, "priority", "N", "higher goes first among your jobs", OPT_NUMBER,
		offsetof(struct args, priority)},
	{'l', "label", "TEXT", "in place of the label it has; \"\": none", OPT_TEXT,
		offsetof(struct args, label)},
	{0, "ttl", "TIME", "keep it this long after its end", OPT_TIME, offsetof(struct args, ttl)},
	{0},
};

static json_t *changes(const struct args *a)
{
	json_t *map = json_pack("{s:s*}", "label", a->label);

	if (a->priority.set && map)
		json_object_set_new(map, "priority", json_integer(a->priority.value));
	if (a->ttl.set && map)
		json_object_set_new(map, "ttl", json_real((double)a->ttl.us / 1e6));
	return map;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	struct ids ids;
	int code;

	if (!a->priority.set && !a->label && !a->ttl.set)
		return ctl_usage(ctl, "nothing to set: --priority, --label or --ttl");
	code = ids_parse(ctl, argc, argv, 1, INT_MAX, &ids);
	if (code)
		return code;
	code = ids_ask_each(ctl, "set", &ids, changes(a));
	ids_deinit(&ids);
	return code;
}

const struct verb verb_set = {
	.name = "set",
	.operands = "ID…",
	.doc = "Change priority, label or time to live of futures",
	.more = "A job that waits keeps its age: it goes as if it had been handed in like this.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
