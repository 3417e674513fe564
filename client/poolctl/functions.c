#include <string.h>

#include "client/poolctl/advice.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"

#define WIDTH 100

struct args {
	bool cost;
};

static const struct opt options[] = {
	{'c', "cost", NULL, "what a job costs on average: times, bytes, the part that was work",
		OPT_FLAG, offsetof(struct args, cost)},
	{0},
};

static const struct view_field fields[] = {
	{"FUNCTION", "name", VIEW_TEXT},
	{"FLAGS", "flags", VIEW_TEXT},
	{"DONE", "done", VIEW_NUMBER},
	{"FAILED", "failed", VIEW_NUMBER},
	{"RUN", "mean_run", VIEW_SPAN},
	{"SHARE", "work_share", VIEW_SHARE},
	{"MEANING", "doc", VIEW_TEXT},
};

static const struct view_field cost_fields[] = {
	{"FUNCTION", "name", VIEW_TEXT},
	{"JOBS", "jobs", VIEW_NUMBER},
	{"SHARE", "work_share", VIEW_SHARE},
	{"QUEUED", "mean.queued", VIEW_SPAN},
	{"HANDOVER", "mean.handover", VIEW_SPAN},
	{"RUN", "mean.run", VIEW_SPAN},
	{"RETURN", "mean.return", VIEW_SPAN},
	{"IN", "mean_in", VIEW_SIZE},
	{"OUT", "mean_out", VIEW_SIZE},
	{"MEMFD", "bytes.memfd", VIEW_SIZE},
	{"COPIED", "bytes.copied", VIEW_SIZE},
};

static int print(struct ctl *ctl, const struct args *a, const json_t *functions)
{
	const json_t *function;
	size_t i;
	int r;

	r = a->cost ? view_table(functions, cost_fields, ARRAY_SIZE(cost_fields), !ctl->no_legend)
		    : view_table_within(
			      functions, fields, ARRAY_SIZE(fields), !ctl->no_legend, WIDTH);
	if (r < 0 || ctl->no_legend)
		return r;
	json_array_foreach (functions, i, function)
		advice_print(json_object_get(function, "advice"));
	return 0;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	json_t *functions;
	int code, r = 0;

	code = ctl_most_operands(ctl, 1, argc, argv);
	if (code)
		return code;
	code = ctl_ask(ctl, "functions",
		argc > 0 ? json_pack("[{s:s}]", "pool", argv[0]) : json_array(), &functions);
	if (code)
		return code;
	if (ctl->json)
		output_document(json_pack("{s:O}", "functions", functions));
	else
		r = print(ctl, values, functions);
	json_decref(functions);
	return r < 0 ? ctl_own_failure(ctl, r, NULL) : EXITCODE_OK;
}

const struct verb verb_functions = {
	.name = "functions",
	.operands = "[POOL]",
	.doc = "Show what can be called, and what it costs",
	.more = "SHARE is the part of the time that was work: run / (run + hand-over + return). "
		"Where "
		"it is\nbelow a half, lines below the table name what would help.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
