#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/poolctl/advice.h"
#include "client/poolctl/ids.h"
#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"
#include "proto/limits.h"
#include "proto/quantity.h"

#define SENTENCE_BYTES 1024

static const struct opt options[] = {{0}};

/* ---- what it waits for, in words ---- */

struct sentence {
	char text[SENTENCE_BYTES];
	size_t len;
};

static void printf_like(2, 3) say(struct sentence *s, const char *format, ...)
{
	size_t room = sizeof(s->text) - s->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(s->text + s->len, room, format, ap);
	va_end(ap);
	if (n > 0)
		s->len += (size_t)n < room ? (size_t)n : room - 1;
}

static long long number(const json_t *waits_for, const char *key)
{
	return (long long)json_integer_value(json_object_get(waits_for, key));
}

static const char *word(const json_t *waits_for, const char *key)
{
	const char *text = json_string_value(json_object_get(waits_for, key));

	return text ? text : "?";
}

static void say_until(struct sentence *s, json_t *waits_for)
{
	double left = json_number_value(json_object_get(waits_for, "until")) - loop_unix_now();
	char span[QUANTITY_TEXT];

	if (json_stamp_time(waits_for, "until", "until_ns") == 0)
		say(s, "until %s (in %s)", word(waits_for, "until"),
			quantity_time_text(left, span));
}

static void say_next_start(struct sentence *s, const json_t *waits_for)
{
	double left = json_number_value(json_object_get(waits_for, "until")) - loop_unix_now();
	char span[QUANTITY_TEXT];

	if (json_object_get(waits_for, "until"))
		say(s, "; the next start is in %s", quantity_time_text(left, span));
}

static void say_quota(struct sentence *s, const json_t *waits_for)
{
	say(s, "quota: with a result of pool %s %s would hold %lld %s, at most %lld",
		word(waits_for, "pool"),
		strcmp(word(waits_for, "of"), "all") == 0 ? "all users together" : "its owner",
		number(waits_for, "value"), word(waits_for, "limit"), number(waits_for, "max"));
}

static void say_ahead(struct sentence *s, const json_t *waits_for, long long least)
{
	long long n = number(waits_for, "ahead");

	if (json_object_get(waits_for, "ahead") && n >= least)
		say(s, ", %s%lld ahead", n >= PROTO_AHEAD_MAX ? "at least " : "", n);
}

static void say_reason(struct sentence *s, const char *kind, json_t *waits_for)
{
	const char *pool = word(waits_for, "pool");

	if (strcmp(kind, "worker") == 0) {
		say(s, "no free worker in pool %s", pool);
	} else if (strcmp(kind, "paused") == 0) {
		say(s, "pool %s is paused", pool);
	} else if (strcmp(kind, "quota") == 0) {
		say_quota(s, waits_for);
	} else if (strcmp(kind, "starting") == 0) {
		say(s, "pool %s has no worker yet", pool);
		say_next_start(s, waits_for);
	} else if (strcmp(kind, "degraded") == 0) {
		say(s, "workers of pool %s die at start: %s", pool, word(waits_for, "reason"));
		say_next_start(s, waits_for);
	} else if (strcmp(kind, "dependency") == 0) {
		say(s, "future %lld", number(waits_for, "id"));
	} else if (strcmp(kind, "delay") == 0) {
		say(s, "delayed ");
		say_until(s, waits_for);
	}
}

/* A sentence in place of the map; a kind that this poolctl does not know stays as it came. */
static void put_in_words(json_t *info)
{
	json_t *waits_for = json_object_get(info, "waits_for");
	const char *kind = json_string_value(json_object_get(waits_for, "kind"));
	struct sentence s = {.len = 0};

	if (kind)
		say_reason(&s, kind, waits_for);
	if (!s.len)
		return;
	say_ahead(&s, waits_for, strcmp(kind, "worker") == 0 ? 0 : 1);
	json_object_set_new(info, "waits_for", json_string(s.text));
}

/* Several IDs: each is told, and the first failure decides the exit code. */
static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct ids ids;
	json_t *info, *advice;
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
		advice = json_incref(json_object_get(info, "advice"));
		if (!ctl->json) {
			put_in_words(info);
			json_object_del(info, "advice");
		}
		r = view_map(info, ctl->json);
		if (r == 0 && !ctl->json)
			advice_print(advice);
		json_decref(advice);
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
