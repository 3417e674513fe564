#include <limits.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"

static const struct opt options[] = {{0}};

/* Several IDs: each is told, and the first failure decides the exit code. */
static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct ids ids;
	json_t *info;
	int code, worst = EXITCODE_OK, r;
	size_t i;

	code = ids_parse(ctl, argc, argv, 1, INT_MAX, &ids);
	if (code)
		return code;
	for (i = 0; i < ids.n; i++) {
		code = ctl_ask(ctl, "info", json_pack("[I]", (json_int_t)ids.ids[i]), &info);
		if (code == EXITCODE_NO_DAEMON)
			break;
		if (code) {
			worst = worst ? worst : code;
			continue;
		}
		r = view_map(info, ctl->json);
		if (r == 0 && !ctl->json && i + 1 < ids.n)
			output_line("%s", "");
		json_decref(info);
		if (r < 0)
			worst = ctl_own_failure(ctl, r, NULL);
	}
	ids_deinit(&ids);
	return worst ? worst : code;
}

const struct verb verb_info = {
	.name = "info",
	.alias = "status",
	.operands = "ID…",
	.doc = "Tell what is known about futures",
	.opts = options,
	.run = run,
};
