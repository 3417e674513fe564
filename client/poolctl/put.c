#include "client/poolctl/job.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	const char *json;
	const char *group, *label, *key;
	struct opt_time ttl, admit_within;
};

static const struct opt options[] = {
	{0, "json-arg", "JSON", "this value, and no file", OPT_TEXT, offsetof(struct args, json)},
	{'g', "group", "GROUP", "a text of your own, for list", OPT_TEXT,
		offsetof(struct args, group)},
	{'l', "label", "LABEL", "another", OPT_TEXT, offsetof(struct args, label)},
	{'k', "key", "KEY", "put again with the same key and content, it is the same object",
		OPT_TEXT, offsetof(struct args, key)},
	{0, "ttl", "TIME", "how long it is kept; default one hour", OPT_TIME,
		offsetof(struct args, ttl)},
	{0, "admit-within", "TIME", "wait so long for room, where a limit is reached", OPT_TIME,
		offsetof(struct args, admit_within)},
	{0},
};

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	const struct inputargs from = {.file = argc > 0 ? argv[0] : NULL, .json = a->json};
	cleanup(future_freep) poold_future *f = NULL;
	poold_options o = POOLD_OPTIONS_INIT;
	struct input in;
	int code;

	if (argc > 1 || (argc == 0) == !a->json)
		return ctl_usage(ctl, "one file, - for standard input, or --json-arg");
	if (a->key && !*a->key)
		return ctl_usage(ctl, "--key: a key has 1 byte at least");
	if (a->ttl.set && !a->ttl.us)
		return ctl_usage(ctl, "--ttl must be above 0");
	if (a->admit_within.set && !a->admit_within.us)
		return ctl_usage(ctl, "--admit-within must be above 0");
	o.group = a->group;
	o.label = a->label;
	o.key = a->key;
	o.ttl_us = a->ttl.us;
	o.admit_within_us = a->admit_within.us;
	code = input_of_function(ctl, &from, 0, NULL, &in);
	if (code == 0)
		code = job_hand_in(ctl, NULL, &in, &o, &f);
	if (code == 0)
		job_print_id(ctl, poold_future_get_id(f), "object");
	return code;
}

const struct verb verb_put = {
	.name = "put",
	.operands = "FILE | --json-arg JSON",
	.doc = "Keep a value for any number of jobs and print its ID",
	.more = "\"--input-future ID\" gives it to a job. It is kept until it is released, or its "
		"time is over and\n"
		"the last job with it is through.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
