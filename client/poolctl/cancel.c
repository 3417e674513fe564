/* cancel: by IDs in one request; by a filter in as many as it takes, since the daemon acts on at
 * most PROTO_IDS_MAX futures for one. */
#include <errno.h>
#include <string.h>

#include "client/poolctl/filter.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "proto/limits.h"

struct args {
	struct filter filter;
	const char *mode, *reason;
};

static const struct opt options[] = {
	{'m', "mode", "MODE", "queued: only if it does not run yet; term (default); kill: at once",
		OPT_TEXT, offsetof(struct args, mode)},
	{'r', "reason", "TEXT", "is kept with the future", OPT_TEXT, offsetof(struct args, reason)},
	FILTER_ALL_OPTION(struct args, filter),
	FILTER_OPTIONS(struct args, filter),
	FILTER_YES_OPTION(struct args, filter),
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

static void print_outcome(const struct ctl *ctl, json_int_t id, const char *outcome)
{
	if (is_no_future(outcome))
		output_complain("%lld: no such future%s", (long long)id,
			strcmp(outcome, "expired") == 0 ? ": it has expired" : "");
	else if (!is_cancelled(outcome) || !ctl->quiet)
		output_say("%lld %s", (long long)id,
			strcmp(outcome, "too_late") == 0 ? "had ended before" : outcome);
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
		else
			print_outcome(ctl, id, outcome);
	}
	if (ctl->json)
		output_document(json_pack("{s:O, s:i}", "outcomes", rows, "exit_code", code));
	json_decref(rows);
	return code;
}

static int ask(struct ctl *ctl, const struct args *a, const struct targets *t, json_t **outcomes)
{
	return ctl_ask(ctl, "cancel",
		json_pack(
			"[o, {s:s*, s:s*}]", targets_json(t), "mode", a->mode, "reason", a->reason),
		outcomes);
}

/* The last request did as much as one can, and what it cancelled will not match again. */
static bool may_be_more(const struct targets *t, const json_t *outcomes)
{
	const json_t *pair;
	const char *outcome;
	size_t i;

	if (!t->filter || json_array_size(outcomes) < PROTO_IDS_MAX)
		return false;
	json_array_foreach (outcomes, i, pair) {
		outcome = json_string_value(json_array_get(pair, 1));
		if (outcome && strcmp(outcome, "cancelled") == 0)
			return true;
	}
	return false;
}

static int cancel(struct ctl *ctl, const struct args *a, const struct targets *t, json_t *all)
{
	json_t *outcomes;
	bool is_more;
	int code, r;

	do {
		code = ask(ctl, a, t, &outcomes);
		if (code)
			return code;
		r = json_array_extend(all, outcomes);
		is_more = may_be_more(t, outcomes);
		json_decref(outcomes);
		if (r < 0)
			return ctl_own_failure(ctl, -ENOMEM, NULL);
	} while (is_more);
	return 0;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	struct targets t;
	json_t *outcomes;
	int code;

	code = targets_parse(ctl, &a->filter, true, argc, argv, &t);
	if (code)
		return code;
	outcomes = json_array();
	code = targets_confirm(ctl, &a->filter, &t, "Cancel");
	if (code == 0)
		code = cancel(ctl, a, &t, outcomes);
	if (code == 0)
		code = print_outcomes(ctl, outcomes);
	json_decref(outcomes);
	targets_deinit(&t);
	return code;
}

const struct verb verb_cancel = {
	.name = "cancel",
	.operands = "ID… | --all | --group GROUP",
	.doc = "Cancel jobs",
	.more = "One that is queued never starts; one that runs gets SIGTERM, and SIGKILL after "
		"its grace.\n"
		"Exits with 1 if one had ended before. Options that choose futures in place of "
		"IDs are\n"
		"about those that are not over, unless --state says otherwise; on a terminal it "
		"asks first.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
