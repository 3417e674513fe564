#include <limits.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

static const struct opt options[] = {
	{0},
};

static void tell(struct ctl *ctl, json_t *rows, json_int_t old, json_int_t id)
{
	if (ctl->json)
		json_array_append_new(rows, json_pack("{s:I, s:I}", "id", id, "retry_of", old));
	else
		output_line("%lld", (long long)id);
}

/* Several IDs: the first failure decides the exit code. */
static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	int code, worst = EXITCODE_OK;
	json_t *answer, *rows;
	struct ids ids;

	code = ids_parse(ctl, argc, argv, 1, INT_MAX, &ids);
	if (code)
		return code;
	rows = json_array();
	for (size_t i = 0; i < ids.n; i++) {
		code = ctl_ask(ctl, "retry", json_pack("[I]", (json_int_t)ids.ids[i]), &answer);
		if (code == EXITCODE_NO_DAEMON)
			break;
		if (code == 0) {
			tell(ctl, rows, (json_int_t)ids.ids[i], json_integer_value(answer));
			json_decref(answer);
		}
		worst = worst ? worst : code;
	}
	worst = worst ? worst : code;
	if (ctl->json)
		output_document(json_pack("{s:O, s:i}", "retried", rows, "exit_code", worst));
	output_flush();
	json_decref(rows);
	ids_deinit(&ids);
	return worst;
}

const struct verb verb_retry = {
	.name = "retry",
	.operands = "ID…",
	.doc = "Hand in jobs once more that did not get done",
	.more = "Prints the ID of each new job: same function, input and options, but no delay.",
	.opts = options,
	.run = run,
};
