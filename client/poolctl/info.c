#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"
#include "proto/limits.h"
#include "proto/quantity.h"

#define SENTENCE_BYTES 512

static const struct opt options[] = {{0}};

/* ---- what it waits for, in words ---- */

/* Behind the last word comes the pool. */
static const char *const reasons[][2] = {
	{"worker", "a free worker of pool"},
	{"quota", "room beside what is held for a result of pool"},
	{"starting", "the first worker of pool"},
};

static void say_ahead(char *text, size_t size, const json_t *waits_for)
{
	const json_t *ahead = json_object_get(waits_for, "ahead");
	json_int_t n = json_integer_value(ahead);

	if (json_is_integer(ahead))
		snprintf(text, size, ", %s%lld of the same user before it",
			n >= PROTO_AHEAD_MAX ? "at least " : "", (long long)n);
}

static void say_until(char *text, size_t size, const json_t *waits_for)
{
	double until = json_number_value(json_object_get(waits_for, "until"));
	double left = until - (double)time(NULL);
	char span[QUANTITY_TEXT];

	if (until > 0)
		snprintf(text, size, ", not before %s",
			quantity_time_text(left > 0 ? left : 0, span));
}

static void say_dependency(char *text, size_t size, const json_t *waits_for)
{
	snprintf(text, size, "the end of %lld",
		(long long)json_integer_value(json_object_get(waits_for, "id")));
}

/* A sentence in place of the map; a kind that this poolctl does not know stays as it came. */
static void put_in_words(json_t *info)
{
	const json_t *waits_for = json_object_get(info, "waits_for");
	const char *kind = json_string_value(json_object_get(waits_for, "kind"));
	const char *pool = json_string_value(json_object_get(waits_for, "pool"));
	char text[SENTENCE_BYTES] = "";
	size_t len;

	for (size_t i = 0; kind && i < ARRAY_SIZE(reasons); i++)
		if (strcmp(kind, reasons[i][0]) == 0)
			snprintf(text, sizeof(text), "%s %s", reasons[i][1], pool ? pool : "?");
	if (kind && strcmp(kind, "dependency") == 0)
		say_dependency(text, sizeof(text), waits_for);
	if (!*text)
		return;
	len = strlen(text);
	say_until(text + len, sizeof(text) - len, waits_for);
	len = strlen(text);
	say_ahead(text + len, sizeof(text) - len, waits_for);
	json_object_set_new(info, "waits_for", json_string(text));
}

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
		if (!ctl->json)
			put_in_words(info);
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
