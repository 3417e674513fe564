#include "client/poolctl/ending.h"

#include <string.h>

#include "client/poolctl/json.h"
#include "client/poolctl/output.h"

static enum outcome_state outcome_of(poold_state state)
{
	const char *name = poold_state_name(state);
	enum outcome_state s = outcome_state_from(name, strlen(name));

	return s < _OUTCOME_STATE_MAX ? s : OUTCOME_QUEUED; /* "accepted": not final */
}

static struct exitcode exit_of(const struct ctl *ctl, const struct ending *e)
{
	enum outcome_code code = outcome_code_from(e->code, strlen(e->code));
	struct exitcode x;

	if (e->state == POOLD_REFUSED)
		return exitcode_of_refusal(ctl->for_job, code);
	if (e->state == POOLD_DISCONNECTED)
		return exitcode_of_connection(ctl->for_job);
	x = exitcode_of_job(outcome_of(e->state), code, e->exit_code, e->signal_no);
	return ctl->for_job ? x : exitcode_plain(x);
}

struct ending ending_of(const struct ctl *ctl, poold_future *f)
{
	struct ending e = {
		.state = poold_future_get_state(f),
		.code = "",
		.message = "",
		.exit_code = -1,
	};

	poold_future_get_error(f, &e.code, &e.message);
	poold_future_get_exit(f, &e.exit_code, &e.signal_no);
	e.exit = exit_of(ctl, &e);
	return e;
}

struct ending ending_of_item(const struct ctl *ctl, const poold_map_item *item)
{
	struct ending e = {
		.state = item->state,
		.code = item->code ? item->code : "",
		.message = item->message ? item->message : "",
		.exit_code = -1,
	};

	e.exit = exit_of(ctl, &e);
	return e;
}

void ending_complain(const struct ending *e, uint64_t id)
{
	const char *why = *e->message ? e->message : e->code;

	if (id)
		output_complain("%llu %s%s%s", (unsigned long long)id, poold_state_name(e->state),
			*why ? ": " : "", why);
	else
		output_complain("%s", *why ? why : poold_state_name(e->state));
}

static json_t *error_of(const struct ending *e, poold_future *f)
{
	json_t *details = NULL;
	struct value v;

	if (!*e->code)
		return NULL;
	if (value_of_details(&v, f))
		details = json_from_value(&v);
	if (json_stamp_time(details, "time", "time_ns") < 0) {
		json_decref(details);
		return NULL;
	}
	return json_pack(
		"{s:s, s:s, s:o*}", "code", e->code, "message", e->message, "details", details);
}

static json_t *timing_of(poold_future *f)
{
	poold_timing t = {.size = sizeof(t)};

	if (poold_future_get_timing(f, &t) < 0)
		return NULL;
	return json_pack("{s:f, s:f, s:f, s:f}", "queued", (double)t.queued_us / 1e6, "handover",
		(double)t.handover_us / 1e6, "run", (double)t.run_us / 1e6, "return",
		(double)t.return_us / 1e6);
}

json_t *ending_document(const struct ending *e, poold_future *f, bool want_result)
{
	uint64_t id = poold_future_get_id(f);
	struct value result;

	return json_pack("{s:o*, s:s, s:o*, s:o*, s:i, s:s, s:o*}", "id",
		id ? json_integer((json_int_t)id) : NULL, "state", poold_state_name(e->state),
		"result",
		want_result && value_of_result(&result, f) ? json_from_value(&result) : NULL,
		"error", error_of(e, f), "exit_code", e->exit.code, "exit_source",
		exitcode_source_name(e->exit.source), "timing", timing_of(f));
}

/* What is told of its job would be that of others, too. */
json_t *ending_item_document(const struct ending *e, const poold_map_item *item)
{
	json_t *error = NULL;
	struct value result;

	if (*e->code)
		error = json_pack("{s:s, s:s}", "code", e->code, "message", e->message);
	return json_pack("{s:s, s:o*, s:o*, s:i, s:s}", "state", poold_state_name(e->state),
		"result", value_of_item(&result, item) ? json_from_value(&result) : NULL, "error",
		error, "exit_code", e->exit.code, "exit_source",
		exitcode_source_name(e->exit.source));
}

static bool print_command(const struct value *v)
{
	struct value text;
	const void *bytes;
	size_t len;

	if (!value_find(v, "stdout", &text))
		return false;
	if (cursor_peek(&text.c) == CURSOR_NIL) {
		output_say("its standard output went to a file of its submitter's own");
		return false;
	}
	if (!value_bytes(&text, &bytes, &len))
		return false;
	output_bytes(bytes, len);
	ending_warn_truncated(v);
	return len > 0;
}

bool ending_print_value(const struct value *v)
{
	struct cursor c = v->c;
	const void *bytes;
	size_t len;

	if (value_is_of_command(v))
		return print_command(v);
	if (cursor_peek(&c) == CURSOR_NIL)
		return false;
	if (!value_bytes(v, &bytes, &len)) {
		output_json(json_from_value(v));
		return true;
	}
	output_bytes(bytes, len);
	if (cursor_peek(&c) == CURSOR_STR && (len == 0 || ((const char *)bytes)[len - 1] != '\n'))
		output_bytes("\n", 1);
	return len > 0;
}

void ending_warn_truncated(const struct value *command)
{
	struct value flag;

	if (value_find(command, "stdout_truncated", &flag) && value_is_true(&flag))
		output_say("standard output was longer than the pool keeps");
	if (value_find(command, "stderr_truncated", &flag) && value_is_true(&flag))
		output_say("standard error was longer than the pool keeps");
}
