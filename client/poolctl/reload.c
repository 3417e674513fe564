#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	struct opt_list restart;
};

static const struct opt options[] = {
	{'r', "restart", "POOL", "give this pool new processes, whether or not it was changed",
		OPT_LIST, offsetof(struct args, restart)},
	{0},
};

static json_t *params(const struct args *a)
{
	json_t *asked = json_object(), *names = json_array();

	for (size_t i = 0; i < a->restart.n; i++)
		json_array_append_new(names, json_string(a->restart.items[i]));
	if (a->restart.n)
		json_object_set(asked, "restart", names);
	json_decref(names);
	return json_pack("[n, o]", asked);
}

/* One line for each word of the answer that is not empty. */
static void say(const json_t *answer, const char *key, const char *what)
{
	const json_t *names = json_object_get(answer, key), *name;
	char text[512] = "";
	size_t i, n = 0;

	json_array_foreach (names, i, name)
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s",
				json_string_value(name) ? json_string_value(name) : "?");
	if (text[0])
		output_line("%s:%s", what, text);
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	json_t *answer;
	int code;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code)
		return code;
	code = ctl_ask(ctl, "reload", params(values), &answer);
	if (code)
		return code;
	if (ctl->json) {
		output_document(json_incref(answer));
	} else if (!ctl->quiet) {
		output_say("reloaded");
		say(answer, "added", "added");
		say(answer, "removed", "removed");
		say(answer, "restarted", "restarted");
		say(answer, "changed", "changed");
		say(answer, "settings", "settings");
		say(answer, "needs_restart", "after a restart of poold");
	}
	json_decref(answer);
	return EXITCODE_OK;
}

const struct verb verb_reload = {
	.name = "reload",
	.operands = "",
	.doc = "Have the daemon read its configuration anew (administrators)",
	.more = "All of it takes effect, or, with an error in it, nothing. Jobs that run go on, "
		"and "
		"connections\nstay. Tells what changed.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
