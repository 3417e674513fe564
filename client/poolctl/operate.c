/* What operators do to pools: resize, pause, resume, drain. */
#include <stdlib.h>

#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"

struct resize_args {
	struct opt_number workers, min_spare, max_spare;
};

static const struct opt resize_options[] = {
	{'w', "workers", "N", "so many workers; at most, if sizing is not static", OPT_COUNT,
		offsetof(struct resize_args, workers)},
	{0, "min-spare", "N", "idle ones, at least (sizing dynamic)", OPT_NUMBER,
		offsetof(struct resize_args, min_spare)},
	{0, "max-spare", "N", "idle ones, at most (sizing dynamic)", OPT_NUMBER,
		offsetof(struct resize_args, max_spare)},
	{0},
};

struct drain_args {
	bool wait;
	struct opt_time timeout;
};

static const struct opt drain_options[] = {
	{'w', "wait", NULL, "until no job and no worker is left", OPT_FLAG,
		offsetof(struct drain_args, wait)},
	{'t', "timeout", "TIME", "wait no longer than this", OPT_TIME,
		offsetof(struct drain_args, timeout)},
	{0},
};

static const struct opt no_options[] = {{0}};

static const struct view_field left_fields[] = {
	{"POOL", "name", VIEW_TEXT},
	{"JOBS", "jobs", VIEW_NUMBER},
	{"RUNNING", "running", VIEW_NUMBER},
	{"WORKERS", "workers", VIEW_NUMBER},
};

/* [POOL, options]; nil: all pools. Consumes options. */
static json_t *params(int argc, char **argv, json_t *options)
{
	return json_pack("[s?, o]", argc > 0 ? argv[0] : NULL, options);
}

/* Asks for what is answered with true, and says `done`. */
static int order(struct ctl *ctl, const char *method, const char *done, json_t *asked)
{
	json_t *answer;
	int code = ctl_ask(ctl, method, asked, &answer);

	if (code)
		return code;
	json_decref(answer);
	if (ctl->json)
		output_document(json_pack("{s:b}", done, 1));
	else if (!ctl->quiet)
		output_say("%s", done);
	return EXITCODE_OK;
}

static void add_number(json_t *options, const char *key, const struct opt_number *n)
{
	if (n->set)
		json_object_set_new(options, key, json_integer(n->value));
}

static int run_resize(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct resize_args *a = values;
	json_t *options;

	if (argc != 1)
		return ctl_usage(ctl, "resize wants one POOL");
	if (!a->workers.set && !a->min_spare.set && !a->max_spare.set)
		return ctl_usage(ctl, "resize wants --workers, --min-spare or --max-spare");
	options = json_object();
	add_number(options, "workers", &a->workers);
	add_number(options, "min_spare", &a->min_spare);
	add_number(options, "max_spare", &a->max_spare);
	return order(ctl, "resize", "resized", params(argc, argv, options));
}

static int run_pause(struct ctl *ctl, void *values, int argc, char **argv)
{
	int code = ctl_most_operands(ctl, 1, argc, argv);

	return code ? code : order(ctl, "pause", "paused", params(argc, argv, json_object()));
}

static int run_resume(struct ctl *ctl, void *values, int argc, char **argv)
{
	int code = ctl_most_operands(ctl, 1, argc, argv);

	return code ? code : order(ctl, "resume", "resumed", params(argc, argv, json_object()));
}

static bool is_left(const json_t *pools)
{
	const json_t *p;
	size_t i;

	json_array_foreach (pools, i, p)
		if (json_integer_value(json_object_get(p, "jobs")) ||
			json_integer_value(json_object_get(p, "workers")))
			return true;
	return false;
}

static int run_drain(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct drain_args *a = values;
	json_t *options, *pools;
	int code, r = 0;

	code = ctl_most_operands(ctl, 1, argc, argv);
	if (code)
		return code;
	if (a->timeout.set && !a->wait)
		return ctl_usage(ctl, "--timeout needs --wait");
	if (a->timeout.set && !a->timeout.us)
		return ctl_usage(ctl, "--timeout must be above 0");
	options = json_pack("{s:b}", "wait", a->wait);
	if (a->timeout.set)
		json_object_set_new(options, "timeout", json_real((double)a->timeout.us / 1e6));
	code = ctl_connect(ctl);
	if (code) {
		json_decref(options);
		return code;
	}
	/* the answer comes when jobs have ended, not when the daemon has heard */
	if (a->wait)
		ctl->patience_us = POOLD_FOREVER;
	code = ctl_ask(ctl, "drain", params(argc, argv, options), &pools);
	if (code)
		return code;
	if (a->wait && is_left(pools))
		code = EXITCODE_FALSE;
	if (ctl->json)
		output_document(json_pack("{s:O, s:i}", "pools", pools, "exit_code", code));
	else if (!ctl->quiet)
		r = view_table(pools, left_fields, ARRAY_SIZE(left_fields), !ctl->no_legend);
	json_decref(pools);
	return r < 0 ? ctl_own_failure(ctl, r, NULL) : code;
}

const struct verb verb_resize = {
	.name = "resize",
	.operands = "POOL",
	.doc = "Give a pool more or fewer workers (administrators)",
	.more = "Jobs that run go on; workers that are too many leave when they are through. It "
		"holds "
		"until the\ndaemon is restarted, or reloads other numbers.",
	.opts = resize_options,
	.values_size = sizeof(struct resize_args),
	.run = run_resize,
};

const struct verb verb_pause = {
	.name = "pause",
	.operands = "[POOL]",
	.doc = "Start no more jobs of a pool, or of all (administrators)",
	.more = "What runs goes on; what is queued, or comes, waits.",
	.opts = no_options,
	.run = run_pause,
};

const struct verb verb_resume = {
	.name = "resume",
	.operands = "[POOL]",
	.doc = "End a pause and a drain (administrators)",
	.opts = no_options,
	.run = run_resume,
};

const struct verb verb_drain = {
	.name = "drain",
	.operands = "[POOL]",
	.doc = "Let a pool, or all, run empty (administrators)",
	.more = "New jobs are refused, those that are there run, and the workers leave. Tells what "
		"is "
		"left. With\n--wait it exits with 1 if something is left after all.",
	.opts = drain_options,
	.values_size = sizeof(struct drain_args),
	.run = run_drain,
};
