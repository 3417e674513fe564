#include <limits.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

static const struct opt options[] = {{0}};

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	json_t *answer;
	struct ids ids;
	json_int_t n;
	size_t wanted;
	int code;

	code = ids_parse(ctl, argc, argv, 1, INT_MAX, &ids);
	if (code)
		return code;
	code = ctl_ask(ctl, "release", json_pack("[o]", ids_json(&ids)), &answer);
	wanted = ids_distinct(&ids);
	ids_deinit(&ids);
	if (code)
		return code;
	n = json_integer_value(answer);
	json_decref(answer);
	if ((size_t)n < wanted)
		code = EXITCODE_NO_FUTURE;
	if (ctl->json)
		output_document(json_pack("{s:I, s:i}", "released", n, "exit_code", code));
	else if (code && wanted == 1)
		output_complain("no such future");
	else if (code)
		output_complain("%zu of %zu: no such future", wanted - (size_t)n, wanted);
	return code;
}

const struct verb verb_release = {
	.name = "release",
	.alias = "forget",
	.operands = "ID…",
	.doc = "Forget futures and their results",
	.more = "A job that runs goes on and is forgotten at its end. Exits with 3 if one was not "
		"there.",
	.opts = options,
	.run = run,
};
