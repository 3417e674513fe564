#include "client/poolctl/filter.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "proto/limits.h"

struct args {
	struct filter filter;
};

static const struct opt options[] = {
	FILTER_ALL_OPTION(struct args, filter),
	FILTER_OPTIONS(struct args, filter),
	FILTER_YES_OPTION(struct args, filter),
	{0},
};

/* The daemon takes at most PROTO_IDS_MAX at a time of those that match. */
static int release(struct ctl *ctl, const struct targets *t, json_int_t *ret_n)
{
	json_int_t n, sum = 0;
	json_t *answer;
	int code;

	do {
		code = ctl_ask(ctl, "release", json_pack("[o]", targets_json(t)), &answer);
		if (code)
			return code;
		n = json_integer_value(answer);
		json_decref(answer);
		sum += n;
	} while (t->filter && n >= PROTO_IDS_MAX);
	*ret_n = sum;
	return 0;
}

static int tell(struct ctl *ctl, struct targets *t, json_int_t n)
{
	size_t wanted = t->filter ? 0 : ids_distinct(&t->ids);
	int code = (size_t)n < wanted ? EXITCODE_NO_FUTURE : EXITCODE_OK;

	if (ctl->json)
		output_document(json_pack("{s:I, s:i}", "released", n, "exit_code", code));
	else if (t->filter)
		output_say("%lld released", (long long)n);
	else if (code && wanted == 1)
		output_complain("no such future");
	else if (code)
		output_complain("%zu of %zu: no such future", wanted - (size_t)n, wanted);
	return code;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	struct targets t;
	json_int_t n;
	int code;

	code = targets_parse(ctl, &a->filter, false, argc, argv, &t);
	if (code)
		return code;
	code = targets_confirm(ctl, &a->filter, &t, "Forget");
	if (code == 0)
		code = release(ctl, &t, &n);
	if (code == 0)
		code = tell(ctl, &t, n);
	targets_deinit(&t);
	return code;
}

const struct verb verb_release = {
	.name = "release",
	.alias = "forget",
	.operands = "ID… | --all | --group GROUP",
	.doc = "Forget futures and their results",
	.more = "A job that runs goes on and is forgotten at its end. Exits with 3 if one was not "
		"there.\n"
		"Options choose futures in place of IDs; then, on a terminal, it asks first.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
