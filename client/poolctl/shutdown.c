#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

static const struct opt options[] = {{0}};

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	json_t *answer;
	int code;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code)
		return code;
	code = ctl_ask(ctl, "shutdown", json_array(), &answer);
	if (code)
		return code;
	json_decref(answer);
	if (ctl->json)
		output_document(json_pack("{s:b}", "stopping", 1));
	else
		output_say("poold stops");
	return EXITCODE_OK;
}

const struct verb verb_shutdown = {
	.name = "shutdown",
	.operands = "",
	.doc = "End the daemon in order (administrators)",
	.opts = options,
	.run = run,
};
