#include "daemon/watch_event.h"

#include "daemon/extra.h"
#include "daemon/reply.h"

static struct bufpack *begin(const struct watch_event *e, const char *kind, unsigned n_fields)
{
	struct bufpack *p = reply_begin_notification(e->conn, "event");

	bufpack_array(p, 4);
	bufpack_uint(p, e->watch);
	bufpack_uint(p, e->id);
	bufpack_text(p, kind);
	bufpack_map(p, n_fields);
	return p;
}

void watch_event_state(const struct watch_event *e, enum future_state state, unsigned attempt)
{
	struct bufpack *p = begin(e, "state", 2);

	bufpack_field_text(p, "state", outcome_state_name((enum outcome_state)state));
	bufpack_field_uint(p, "attempt", attempt);
	reply_end();
}

void watch_event_progress(const struct watch_event *e, const struct future *f)
{
	const struct future_extra *x = future_extra(f);
	struct bufpack *p = begin(e, "progress", 3);

	bufpack_field_uint(p, "done", x->progress_done);
	bufpack_field_uint(p, "total", x->progress_total);
	bufpack_field_text(p, "text", x->progress_text ? x->progress_text : "");
	reply_end();
}

void watch_event_output(
	const struct watch_event *e, int stream, uint64_t offset, const void *bytes, size_t n)
{
	struct bufpack *p = begin(e, "output", 3);

	bufpack_field_text(p, "stream", stream == STREAM_STDERR ? "stderr" : "stdout");
	bufpack_field_uint(p, "offset", offset);
	bufpack_text(p, "bytes");
	bufpack_bin(p, bytes, n);
	reply_end();
}

void watch_event_dropped(const struct watch_event *e, uint64_t n)
{
	struct bufpack *p = begin(e, "dropped", 1);

	bufpack_field_uint(p, "n", n);
	reply_end();
}

void watch_event_final(const struct watch_event *e, struct future *f)
{
	struct bufpack *p = begin(e, "final", 3);

	bufpack_field_text(p, "state", outcome_state_name((enum outcome_state)f->state));
	bufpack_text(p, "timing");
	reply_pack_timing(p, f, future_finished_us(f));
	bufpack_text(p, "error");
	if (f->state == FUTURE_DONE)
		bufpack_nil(p);
	else
		reply_failure(f);
	reply_end();
}

void watch_event_unknown(const struct watch_event *e, enum outcome_code code)
{
	struct bufpack *p = begin(e, "final", 3);

	bufpack_field_text(p, "state", outcome_code_name(code));
	bufpack_text(p, "error");
	reply_unknown(p, code);
	bufpack_text(p, "timing");
	bufpack_map(p, 0);
	reply_end();
}
