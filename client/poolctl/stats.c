#include "client/poolctl/advice.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"

static const struct opt options[] = {{0}};

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	json_t *stats, *advice;
	int code, r;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code)
		return code;
	code = ctl_ask(ctl, "stats", json_array(), &stats);
	if (code)
		return code;
	advice = json_incref(json_object_get(stats, "advice"));
	if (!ctl->json)
		json_object_del(stats, "advice");
	r = view_map(stats, ctl->json);
	if (r == 0 && !ctl->json)
		advice_print(advice);
	json_decref(advice);
	json_decref(stats);
	return r < 0 ? ctl_own_failure(ctl, r, NULL) : EXITCODE_OK;
}

const struct verb verb_stats = {
	.name = "stats",
	.operands = "",
	.doc = "Show counters, gauges, and limits with their use",
	.opts = options,
	.run = run,
};
