/* A worker is trusted as far as its own job goes and no further: the form of an answer is checked
 * to the letter, its figures are held within what the daemon saw itself (the core does that), and
 * what it claims to be a sealed memfd is looked at. An answer that is merely too large is no broken
 * protocol; the job fails with `too_large`.
 *
 * Nearly all answers are results without fds, and figures: these are read in one walk, which checks
 * what scan would. Whatever is not so, or too large, or cannot be kept, is for the general way.
 */
#include "daemon/answer.h"

#include <errno.h>
#include <string.h>

#include "daemon/workers.h"
#include "proto/outcome.h"
#include "proto/scan.h"
#include "proto/text.h"

#define DETAILS_BYTES (2u * PROTO_INLINE_BYTES)
/* Figures beyond this are no figures. */
#define MEAS_MAX (1ull << 53)

/* ---- measures ---- */

/* *ret_skips: some of them are no figures. */
static bool take_meas(struct answer *a, struct cursor *c, bool *ret_skips)
{
	const char *key;
	uint64_t v;
	uint32_t n;
	size_t len;

	*ret_skips = false;
	if (!cursor_map(c, &n))
		return false;
	while (n-- > 0) {
		if (!cursor_text(c, &key, &len))
			return false;
		if (!cursor_uint(c, &v)) {
			*ret_skips = true;
			if (!cursor_skip(c, NULL))
				return false;
			continue;
		}
		if (v > MEAS_MAX)
			continue;
		if (text_equal(key, len, "run_us"))
			a->run_us = v;
		else if (text_equal(key, len, "copied"))
			a->copied_bytes = v;
		else if (text_equal(key, len, "started_us"))
			a->started_us = v;
		else if (text_equal(key, len, "rss_kib"))
			a->rss_kib = v;
	}
	return true;
}

/* ---- values ---- */

/* Nested too deep, or not naming just the fds that came along: NULL if it is right. */
static const char *check_value(const struct cursor *value, unsigned n_fds)
{
	enum cursor_type type = cursor_peek(value);
	struct scan s = {};

	if (type == CURSOR_ARRAY || type == CURSOR_MAP || type == CURSOR_EXT)
		if (scan_value(value->p, cursor_len(value), PROTO_VALUE_DEPTH, &s) != 0)
			return "a value is nested too deep";
	if (s.fd_mask != (1ull << n_fds) - 1)
		return "fds are named outside of the value";
	return NULL;
}

static int set_value(struct answer *a, const uint8_t *encoding, size_t len, struct message_fds *fds,
	const char **ret_reason)
{
	struct payload *value;
	unsigned n_fds = fds->n;
	int r;

	fds->n = 0;
	r = payload_new(encoding, len, fds->fds, n_fds, &value, ret_reason);
	if (r != 0)
		return r < 0 ? r : ANSWER_E_PROTOCOL;
	a->value = value;
	a->value_bytes = payload_charge_bytes(value);
	a->value_fds = payload_charge_fds(value);
	a->out = payload_moved(value);
	return 0;
}

/* The value is what was packed into b; no fds. */
static int set_packed(struct answer *a, struct buf *b, const struct bufpack *p)
{
	struct message_fds none = {};
	const char *reason;
	int r;

	r = bufpack_error(p);
	if (r == 0)
		r = set_value(a, buf_head(b), buf_used(b), &none, &reason);
	buf_deinit(b);
	return r;
}

static int set_too_large(struct answer *a, const char *limit, uint64_t value, uint64_t max)
{
	struct buf b = BUF_INIT(DETAILS_BYTES);
	struct bufpack p;

	a->is_failure = true;
	a->failure = FAILURE_TOO_LARGE;
	bufpack_init(&p, &b);
	bufpack_map(&p, 3);
	outcome_pack_limit(&p, limit, value, max);
	return set_packed(a, &b, &p);
}

static uint64_t max_of(const struct slot *s)
{
	const struct future *f = slot_first(s);

	return f ? answer_max_result(f) : 0;
}

static bool is_each(const struct slot *s)
{
	const struct future *f = slot_first(s);

	return f && f->is_each;
}

/* Beyond the pool's limits it becomes the failure `too_large`. */
static int check_size(
	struct answer *a, const struct cursor *value, const struct message_fds *fds, uint64_t max)
{
	uint64_t bytes;
	uint16_t n_fds;
	int r;

	if (cursor_len(value) > PROTO_INLINE_BYTES)
		return set_too_large(a, "inline_bytes", cursor_len(value), PROTO_INLINE_BYTES);
	r = payload_measure(cursor_len(value), fds->fds, fds->n, &bytes, &n_fds);
	if (r < 0)
		return r;
	bytes -= payload_own_bytes(fds->n);
	return bytes > max ? set_too_large(a, "max_result", bytes, max) : 0;
}

/* ---- results ---- */

static int take_result(struct answer *a, struct cursor c, struct message_fds *fds, uint64_t max,
	const char **ret_reason)
{
	struct cursor value;
	bool skips;
	uint32_t n;
	int r;

	*ret_reason = "an answer's result is not [value, meas]";
	if (!cursor_array(&c, &n) || n != 2 || !cursor_skip(&c, &value) ||
		!take_meas(a, &c, &skips))
		return ANSWER_E_PROTOCOL;
	*ret_reason = check_value(&value, fds->n);
	if (*ret_reason)
		return ANSWER_E_PROTOCOL;
	r = check_size(a, &value, fds, max);
	if (r != 0 || a->is_failure)
		return r;
	return set_value(a, value.p, cursor_len(&value), fds, ret_reason);
}

/* ---- at one look ---- */

/* Any value without ext types of ours. */
static bool take_plain(struct cursor *c, struct cursor *ret)
{
	enum cursor_type type = cursor_peek(c);
	struct scan s;

	if (type != CURSOR_ARRAY && type != CURSOR_MAP && type != CURSOR_EXT)
		return cursor_skip(c, ret);
	scan_init(&s, cursor_len(c), PROTO_VALUE_DEPTH);
	if (scan_step(&s, c->p, cursor_len(c)) != SCAN_DONE || s.fd_mask || s.has_value_ext ||
		s.has_future_ext)
		return false;
	*ret = (struct cursor){c->p, c->p + s.pos};
	c->p += s.pos;
	return true;
}

size_t answer_read(const uint8_t *bytes, size_t len, const struct slot *s, struct answer *ret)
{
	struct cursor c = cursor_of(bytes, len), value;
	struct message_fds none = {};
	struct answer a = {};
	const char *reason;
	uint64_t type, msgid;
	uint32_t n;
	bool skips;

	if (!cursor_array(&c, &n) || n != 4 || !cursor_uint(&c, &type) || type != RPC_ANSWER ||
		!cursor_uint(&c, &msgid) || msgid > UINT32_MAX || !cursor_nil(&c) ||
		!cursor_array(&c, &n) || n != 2 || !take_plain(&c, &value) ||
		!take_meas(&a, &c, &skips) || skips || cursor_len(&value) > PROTO_INLINE_BYTES ||
		cursor_len(&value) > max_of(s) ||
		set_value(&a, value.p, cursor_len(&value), &none, &reason) != 0)
		return 0;
	a.msgid = (uint32_t)msgid;
	*ret = a;
	return (size_t)(c.p - bytes);
}

/* ---- failures ---- */

struct failure {
	const char *code;
	size_t code_len;
	const char *message;
	size_t message_len;
	struct cursor data; /* empty: none */
	bool was_oom;
	bool is_of_element; /* of a job with `each`; then the next two are there */
	uint64_t index;
	struct cursor results; /* of the elements before it */
};

/* Where a job with `each` ended: both, or neither. */
static bool take_element(struct failure *f, const char *key, size_t len, struct cursor value)
{
	uint32_t n;

	if (text_equal(key, len, "index")) {
		f->is_of_element = true;
		return cursor_uint(&value, &f->index);
	}
	f->results = value;
	return cursor_array(&value, &n);
}

static bool take_failure(struct failure *f, struct answer *a, struct cursor c, bool is_each)
{
	struct cursor value;
	const char *key;
	bool skips;
	uint32_t n;
	size_t len;

	if (!cursor_array(&c, &n) || n != 3 || !cursor_text(&c, &f->code, &f->code_len) ||
		!cursor_text(&c, &f->message, &f->message_len) || !cursor_map(&c, &n))
		return false;
	while (n-- > 0) {
		if (!cursor_text(&c, &key, &len) || !cursor_skip(&c, &value))
			return false;
		if (text_equal(key, len, "data"))
			f->data = value;
		else if (text_equal(key, len, "meas") && !take_meas(a, &value, &skips))
			return false;
		else if (is_each &&
			 (text_equal(key, len, "index") || text_equal(key, len, "results")) &&
			 !take_element(f, key, len, value))
			return false;
	}
	return f->is_of_element == (cursor_len(&f->results) > 0);
}

/* How many keys pack_element() adds. */
static uint32_t n_of_element(const struct failure *f)
{
	return f->is_of_element ? 2 : 0;
}

static void pack_element(struct bufpack *p, const struct failure *f)
{
	if (!f->is_of_element)
		return;
	bufpack_field_uint(p, "index", f->index);
	bufpack_text(p, "results");
	bufpack_raw(p, f->results.p, cursor_len(&f->results));
}

static bool is_map(const struct cursor *c)
{
	return cursor_len(c) > 0 && cursor_peek(c) == CURSOR_MAP;
}

/* The map as it is, and `oom`, which a worker cannot know. */
static int set_command_failure(
	struct answer *a, const struct failure *f, struct message_fds *fds, const char **ret_reason)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(DETAILS_BYTES);
	struct cursor c = f->data, entries, value;
	struct bufpack p;
	bool has_oom = false;
	const char *key;
	uint32_t n;
	size_t len;

	(void)!cursor_map(&c, &n);
	entries = c;
	for (uint32_t i = 0; i < n; i++) {
		if (cursor_text(&c, &key, &len))
			has_oom |= text_equal(key, len, "oom");
		else if (!cursor_skip(&c, NULL))
			break;
		(void)!cursor_skip(&c, &value);
	}
	bufpack_init(&p, &b);
	bufpack_map(&p, n + !has_oom);
	bufpack_raw(&p, entries.p, cursor_len(&entries));
	if (!has_oom) {
		bufpack_text(&p, "oom");
		bufpack_bool(&p, f->was_oom);
	}
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	return set_value(a, buf_head(&b), buf_used(&b), fds, ret_reason);
}

/* Text of a worker's function for people and programs: as it is if it is plain, else made so. */
static void pack_plain(struct bufpack *p, const char *text, size_t len, size_t max)
{
	char plain[PROTO_MESSAGE_TEXT_BYTES + 1];

	if (len <= max && text_is_plain(text, len))
		bufpack_text_n(p, text, len);
	else
		bufpack_text(p, text_escape(plain, max + 1, text, len));
}

static int set_function_failure(
	struct answer *a, const struct failure *f, struct message_fds *fds, const char **ret_reason)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(DETAILS_BYTES);
	bool has_data = cursor_len(&f->data) > 0 && cursor_len(&f->data) <= PROTO_DATA_BYTES;
	struct bufpack p;

	bufpack_init(&p, &b);
	bufpack_map(&p, 3 + n_of_element(f));
	bufpack_text(&p, "code");
	pack_plain(&p, f->code, f->code_len, PROTO_NAME_BYTES);
	bufpack_text(&p, "message");
	pack_plain(&p, f->message, f->message_len, PROTO_MESSAGE_TEXT_BYTES);
	bufpack_text(&p, "data");
	if (has_data)
		bufpack_raw(&p, f->data.p, cursor_len(&f->data));
	else
		bufpack_nil(&p);
	pack_element(&p, f);
	/* without the data nobody names its fds */
	if (!has_data && !f->is_of_element)
		return set_packed(a, &b, &p);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	return set_value(a, buf_head(&b), buf_used(&b), fds, ret_reason);
}

/* The limit as it was told, and where. */
static int set_large_failure(
	struct answer *a, const struct failure *f, struct message_fds *fds, const char **ret_reason)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(DETAILS_BYTES);
	struct cursor entries = f->data;
	struct bufpack p;
	uint32_t n;

	(void)!cursor_map(&entries, &n);
	bufpack_init(&p, &b);
	bufpack_map(&p, n + n_of_element(f));
	bufpack_raw(&p, entries.p, cursor_len(&entries));
	pack_element(&p, f);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	return set_value(a, buf_head(&b), buf_used(&b), fds, ret_reason);
}

/* The fds are those of the data, or, if there are results, of these. NULL if it is so. */
static const char *check_failure(const struct failure *f, unsigned n_fds)
{
	const char *reason;

	if (!f->is_of_element)
		return check_value(&f->data, n_fds);
	reason = check_value(&f->data, 0);
	return reason ? reason : check_value(&f->results, n_fds);
}

static enum future_failure failure_kind(const struct failure *f, const struct pool *p)
{
	enum outcome_code code = outcome_code_from(f->code, f->code_len);
	bool is_exec = workers_config(p)->handler == HANDLER_EXEC;

	if (!is_map(&f->data))
		return FAILURE_FUNCTION;
	if (code == OUTCOME_E_TOO_LARGE)
		return FAILURE_TOO_LARGE;
	if (is_exec && code == OUTCOME_E_EXIT)
		return FAILURE_EXIT;
	if (is_exec && code == OUTCOME_E_SIGNAL)
		return FAILURE_SIGNAL;
	return FAILURE_FUNCTION;
}

static int take_error(struct answer *a, struct cursor c, struct message_fds *fds,
	const struct slot *s, bool was_oom, const char **ret_reason)
{
	struct failure f = {.was_oom = was_oom};
	int r;

	*ret_reason = "an answer's error is not [code, message, {data, meas}]";
	if (!take_failure(&f, a, c, is_each(s)))
		return ANSWER_E_PROTOCOL;
	*ret_reason = check_failure(&f, fds->n);
	if (*ret_reason)
		return ANSWER_E_PROTOCOL;
	a->is_failure = true;
	a->failure = failure_kind(&f, s->pool);
	switch (a->failure) {
	case FAILURE_EXIT:
	case FAILURE_SIGNAL:
		r = check_size(a, &f.data, fds, max_of(s));
		if (r != 0 || a->failure == FAILURE_TOO_LARGE)
			return r;
		return set_command_failure(a, &f, fds, ret_reason);
	case FAILURE_TOO_LARGE: return set_large_failure(a, &f, fds, ret_reason);
	default: return set_function_failure(a, &f, fds, ret_reason);
	}
}

int answer_parse(const struct rpc *m, struct message_fds *fds, const struct slot *s, bool was_oom,
	struct answer *ret, const char **ret_reason)
{
	struct answer a = {.msgid = m->msgid};
	int r;

	if (cursor_peek(&m->error) == CURSOR_NIL) {
		r = take_result(&a, m->result, fds, max_of(s), ret_reason);
	} else if (cursor_peek(&m->result) == CURSOR_NIL) {
		r = take_error(&a, m->error, fds, s, was_oom, ret_reason);
	} else {
		*ret_reason = "an answer has both an error and a result";
		r = ANSWER_E_PROTOCOL;
	}
	if (r == 0)
		*ret = a;
	return r;
}
