#include <limits.h>
#include <string.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	const char *mode, *reason;
};

static const struct opt options[] = {
	{'m', "mode", "MODE", "queued: only if it does not run yet; term (default); kill: at once",
		OPT_TEXT, offsetof(struct args, mode)},
	{'r', "reason", "TEXT", "is kept with the future", OPT_TEXT, offsetof(struct args, reason)},
	{0},
};

static bool is_cancelled(const char *outcome)
{
	return strcmp(outcome, "cancelled") == 0 || strcmp(outcome, "cancelling") == 0;
}

static bool is_no_future(const char *outcome)
{
	return strcmp(outcome, "unknown_future") == 0 || strcmp(outcome, "expired") == 0;
}

/* One that is not there weighs more than one that had ended. */
static int judge(const char *outcome, int so_far)
{
	if (is_no_future(outcome))
		return EXITCODE_NO_FUTURE;
	if (!is_cancelled(outcome) && so_far == EXITCODE_OK)
		return EXITCODE_FALSE;
	return so_far;
}

static int print_outcomes(struct ctl *ctl, const json_t *outcomes)
{
	json_t *pair, *rows = json_array();
	json_int_t id;
	const char *outcome;
	int code = EXITCODE_OK;
	size_t i;

	json_array_foreach (outcomes, i, pair) {
		if (json_unpack(pair, "[I, s]", &id, &outcome) < 0)
			continue;
		code = judge(outcome, code);
		if (ctl->json)
			json_array_append_new(
				rows, json_pack("{s:I, s:s}", "id", id, "outcome", outcome));
		else if (is_no_future(outcome))
			output_complain("%lld: no such future%s", (long long)id,
				strcmp(outcome, "expired") == 0 ? ": it has expired" : "");
		else if (!is_cancelled(outcome) || !ctl->quiet)
			output_say("%lld %s", (long long)id,
				strcmp(outcome, "too_late") == 0 ? "had ended before" : outcome);
	}
	if (ctl->json)
		output_document(json_pack("{s:O, s:i}", "outcomes", rows, "exit_code", code));
	json_decref(rows);
	return code;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	struct ids ids;
	json_t *outcomes;
	int code;

	code = ids_parse(ctl, argc, argv, 1, INT_MAX, &ids);
	if (code)
		return code;
	code = ctl_ask(ctl, "cancel",
		json_pack(
			"[o, {s:s*, s:s*}]", ids_json(&ids), "mode", a->mode, "reason", a->reason),
		&outcomes);
	ids_deinit(&ids);
	if (code)
		return code;
	code = print_outcomes(ctl, outcomes);
	json_decref(outcomes);
	return code;
}

const struct verb verb_cancel = {
	.name = "cancel",
	.operands = "ID…",
	.doc = "Cancel jobs",
	.more = "One that is queued never starts; one that runs gets SIGTERM, and SIGKILL after "
		"its grace.\n"
		"Exits with 1 if one had ended before.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
