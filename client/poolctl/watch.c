/* watch: a line for each event, until all futures that were named are final. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "client/poolctl/ids.h"
#include "client/poold-watch.h"
#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	const char *group;
	bool all, progress, output;
	struct opt_time timeout;
};

static const struct opt options[] = {
	{'g', "group", "GROUP", "also those of this group, until it is interrupted", OPT_TEXT,
		offsetof(struct args, group)},
	{'a', "all", NULL, "also all others, until it is interrupted", OPT_FLAG,
		offsetof(struct args, all)},
	{0, "progress", NULL, "also what functions tell of their progress", OPT_FLAG,
		offsetof(struct args, progress)},
	{0, "output", NULL, "also what commands write", OPT_FLAG, offsetof(struct args, output)},
	{'t', "timeout", "TIME", "no longer than this", OPT_TIME, offsetof(struct args, timeout)},
	{0},
};

struct watching {
	struct ctl *ctl;
	size_t n_left;	 /* of those that were named */
	bool is_endless; /* others are meant, too */
	uint64_t until_us;
	int code;
	poold_reply *refusal;
	bool is_lost;
};

static void tell(struct watching *w, uint64_t id, const char *kind, json_t *map)
{
	const char *state = json_string_value(json_object_get(map, "state"));
	char *rest;

	if (w->ctl->json) {
		json_t *document = json_pack("{s:I, s:s}", "id", (json_int_t)id, "event", kind);

		json_object_update(document, map);
		output_document(document);
	} else if (state) {
		output_line("%llu %s %s", (unsigned long long)id, kind, state);
	} else {
		rest = json_dumps(map, JSON_COMPACT);
		output_line("%llu %s %s", (unsigned long long)id, kind, rest ? rest : "{}");
		free(rest);
	}
	output_flush();
}

static int on_event(
	poold_watch *watch, uint64_t id, const char *kind, poold_reply *event, void *userdata)
{
	struct watching *w = userdata;
	json_t *map = NULL;
	struct value v;

	(void)watch;
	if (id == 0) {
		w->is_lost = strcmp(kind, "disconnected") == 0;
		w->refusal = poold_reply_ref(event);
		return 0;
	}
	if (value_of_reply(&v, event))
		map = json_from_value(&v);
	if (!json_is_object(map)) {
		json_decref(map);
		return -EPROTO;
	}
	tell(w, id, kind, map);
	if (strcmp(kind, "final") == 0) {
		const char *state = json_string_value(json_object_get(map, "state"));

		w->n_left -= w->n_left > 0;
		if (!state || strcmp(state, "done") != 0)
			w->code = EXITCODE_FALSE;
	}
	json_decref(map);
	return 0;
}

static bool is_over(const struct watching *w)
{
	return w->refusal || (!w->is_endless && w->n_left == 0) || output_has_failed();
}

static int follow(struct watching *w)
{
	int came = 0;

	while (came >= 0 && !(came & LOOP_TIME) && !is_over(w)) {
		came = loop_turn(w->ctl, -1, w->until_us);
		if (came > 0 && came & LOOP_SIGNAL)
			came = -EINTR;
	}
	return came;
}

static int end_of_watch(struct watching *w)
{
	if (w->refusal)
		return ctl_refused(w->ctl, w->refusal);
	if (w->n_left > 0 && !output_has_failed()) {
		output_say("the time is over: %zu of the futures named are not final", w->n_left);
		return EXITCODE_FALSE;
	}
	return w->code;
}

static int watch(struct watching *w, const poold_watch_options *o)
{
	poold_watch *watch;
	int r = poold_watch_new(w->ctl->client, o, on_event, w, &watch);

	if (r >= 0)
		r = follow(w);
	if (r < 0 && !w->refusal)
		return ctl_call_failed(w->ctl, r);
	if (w->is_lost)
		return ctl_call_failed(w->ctl, -ENOTCONN);
	poold_watch_free(watch);
	return end_of_watch(w);
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	poold_watch_options o = POOLD_WATCH_OPTIONS_INIT;
	struct watching w = {.ctl = ctl, .is_endless = a->group || a->all};
	struct ids ids;
	int code;

	code = ids_parse(ctl, argc, argv, w.is_endless ? 0 : 1, INT_MAX, &ids);
	if (code)
		return code;
	o.n_ids = ids.n;
	o.ids = ids.ids;
	o.group = a->group;
	o.all = a->all;
	o.progress = a->progress;
	o.output = a->output;
	w.n_left = ids_distinct(&ids);
	w.until_us = loop_until(a->timeout.set ? a->timeout.us : POOLD_FOREVER);
	code = loop_catch_signals(ctl);
	if (code == 0)
		code = ctl_connect(ctl);
	if (code == 0)
		code = watch(&w, &o);
	poold_reply_unref(w.refusal);
	ids_deinit(&ids);
	return code;
}

const struct verb verb_watch = {
	.name = "watch",
	.operands = "ID… | --all | --group GROUP",
	.doc = "Print what becomes of futures as it happens",
	.more = "Ends when all IDs are final: with 0 if all are done, else with 1. With --group "
		"or\n"
		"--all only when it is interrupted, or the time is over.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
