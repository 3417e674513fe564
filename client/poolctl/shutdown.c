#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	const char *mode;
	struct opt_time timeout;
};

static const struct opt options[] = {
	{'m', "mode", "MODE", "finish: all jobs end first; term (default): what runs may end; kill",
		OPT_TEXT, offsetof(struct args, mode)},
	{'t', "timeout", "TIME", "how long they may run; what runs then still is ended", OPT_TIME,
		offsetof(struct args, timeout)},
	{0},
};

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	json_t *answer, *asked = json_object();
	int code;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code) {
		json_decref(asked);
		return code;
	}
	if (a->mode)
		json_object_set_new(asked, "mode", json_string(a->mode));
	if (a->timeout.set)
		json_object_set_new(asked, "timeout", json_real((double)a->timeout.us / 1e6));
	code = ctl_ask(ctl, "shutdown", json_pack("[n, o]", asked), &answer);
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
	.more = "New jobs are refused, what waits is aborted unless it is to be finished, and "
		"whoever "
		"waits is\nanswered. Another shutdown may hasten one that is under way.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
