/* What the daemon has: pools and their workers. Two verbs that differ in their columns. */
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"

static const struct opt options[] = {{0}};

static const struct view_field pool_fields[] = {
	{"POOL", "name", VIEW_TEXT},
	{"HANDLER", "handler", VIEW_TEXT},
	{"STATE", "state", VIEW_TEXT},
	{"SIZING", "sizing", VIEW_TEXT},
	{"WORKERS", "workers.wanted", VIEW_NUMBER},
	{"STANDBY", "workers.standby", VIEW_NUMBER},
	{"IDLE", "workers.idle", VIEW_NUMBER},
	{"BUSY", "workers.busy", VIEW_NUMBER},
	{"QUEUED", "queued", VIEW_NUMBER},
	{"DONE", "finished.done", VIEW_NUMBER},
	{"REASON", "reason", VIEW_TEXT},
};

static const struct view_field worker_fields[] = {
	{"POOL", "pool", VIEW_TEXT},
	{"NUMBER", "number", VIEW_NUMBER},
	{"PID", "pid", VIEW_NUMBER},
	{"STATE", "state", VIEW_TEXT},
	{"SINCE", "since_ns", VIEW_AGE},
	{"ANSWERED", "answered", VIEW_NUMBER},
	{"JOB", "job", VIEW_NUMBER},
};

static int show(struct ctl *ctl, const char *what, const struct view_field *fields, size_t n,
	int most, int argc, char **argv)
{
	json_t *maps;
	int code, r;

	code = ctl_most_operands(ctl, most, argc, argv);
	if (code)
		return code;
	code = ctl_ask(
		ctl, what, argc > 0 ? json_pack("[{s:s}]", "pool", argv[0]) : json_array(), &maps);
	if (code)
		return code;
	r = view_tidy_all(maps);
	if (r == 0 && ctl->json)
		output_document(json_pack("{s:O}", what, maps));
	else if (r == 0)
		r = view_table(maps, fields, n, !ctl->no_legend);
	json_decref(maps);
	return r < 0 ? ctl_own_failure(ctl, r, NULL) : EXITCODE_OK;
}

static int run_pools(struct ctl *ctl, void *values, int argc, char **argv)
{
	return show(ctl, "pools", pool_fields, ARRAY_SIZE(pool_fields), 0, argc, argv);
}

static int run_workers(struct ctl *ctl, void *values, int argc, char **argv)
{
	return show(ctl, "workers", worker_fields, ARRAY_SIZE(worker_fields), 1, argc, argv);
}

const struct verb verb_pools = {
	.name = "pools",
	.operands = "",
	.doc = "Show the pools and what they do",
	.opts = options,
	.run = run_pools,
};

const struct verb verb_workers = {
	.name = "workers",
	.operands = "[POOL]",
	.doc = "Show the workers and what they do",
	.opts = options,
	.run = run_workers,
};
