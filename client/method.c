/* Requests with a form of their own: each packs its parameters and waits for the answer. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/poold-request.h"
#include "proto/jobspec.h"

/* Bytes of output in one answer: so that it stays far from the limit of a message. */
#define READ_BYTES (256u * 1024u)

static void pack_ids(struct bufpack *p, const uint64_t *ids, size_t n)
{
	bufpack_array(p, n);
	for (size_t i = 0; i < n; i++)
		bufpack_uint(p, ids[i]);
}

/* What a request is about: these, or those that match. */
struct targets {
	const uint64_t *ids;
	size_t n_ids;
	const poold_filter *filter;
	bool is_filter; /* which of both */
};

static bool is_daemons_state(poold_state state)
{
	return (state >= POOLD_DELAYED && state <= POOLD_CANCELLING) ||
	       (state >= POOLD_DONE && state <= POOLD_ABORTED);
}

static bool are_sane(const struct targets *t)
{
	const poold_filter *fl = t->filter;

	if (!t->is_filter)
		return t->ids && t->n_ids > 0;
	if (!fl || !cl_is_known(fl, fl->size, sizeof(*fl)) || (fl->n_states > 0 && !fl->states))
		return false;
	for (size_t i = 0; i < fl->n_states; i++)
		if (!is_daemons_state(fl->states[i]))
			return false;
	return true;
}

static void pack_text_field(struct bufpack *p, const char *key, const char *text)
{
	if (!text)
		return;
	bufpack_text(p, key);
	bufpack_text(p, text);
}

static void pack_targets(struct bufpack *p, const struct targets *t)
{
	const poold_filter *fl = t->filter;

	if (!t->is_filter) {
		pack_ids(p, t->ids, t->n_ids);
		return;
	}
	bufpack_map(p, (fl->group != NULL) + (fl->pool != NULL) + (fl->label != NULL) +
			       (fl->n_states > 0));
	pack_text_field(p, "group", fl->group);
	pack_text_field(p, "pool", fl->pool);
	pack_text_field(p, "label", fl->label);
	if (fl->n_states > 0) {
		bufpack_text(p, "state");
		bufpack_array(p, fl->n_states);
	}
	for (size_t i = 0; i < fl->n_states; i++)
		bufpack_text(p, poold_state_name(fl->states[i]));
}

/* A time that is not told is for ever. */
static void pack_timeout(struct bufpack *p, uint64_t timeout_us)
{
	bufpack_text(p, "timeout");
	bufpack_seconds(p, timeout_us);
}

/* Begins a request of n_params, to be packed. */
static int begin(
	struct cl_answer *a, poold *p, const char *method, size_t n_params, bool are_args_sane)
{
	int r = are_args_sane ? cl_answer_begin(a, p, method) : -EINVAL;

	if (r == 0)
		bufpack_array(&a->draft.pk, n_params);
	return r;
}

DEFINE_CLEANUP(poold_reply *, poold_reply_unref)

/* An error answer becomes an error; the reply is the caller's in any case. */
static int wait_for_success(struct cl_answer *a, uint64_t timeout_us, poold_reply **ret)
{
	int r = cl_answer_wait(a, timeout_us, ret);

	if (r == 0 && cl_value_is_error(&(*ret)->value))
		r = cl_fail_refused(a->draft.p, &(*ret)->value);
	return r;
}

static bool has_hello(const void *arg)
{
	const poold *p = arg;

	return p->hello != NULL;
}

poold_public int poold_hello(poold *p, uint64_t timeout_us, poold_reply **ret_reply)
{
	int r = cl_check_open(p);

	if (r < 0)
		return r;
	if (!ret_reply)
		return -EINVAL;
	poold_ref(p);
	r = cl_wait_until(p, has_hello, p, timeout_us);
	if (r > 0 && p->hello->is_lost)
		r = p->lost_error;
	if (r > 0)
		*ret_reply = poold_reply_ref(p->hello);
	else if (r == 0)
		r = cl_fail(p, -ETIMEDOUT, "no answer to hello within %.6g s",
			(double)timeout_us / 1e6);
	poold_unref(p);
	return r > 0 ? 0 : r;
}

poold_public int poold_ping(poold *p, uint64_t timeout_us)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	int r = begin(&a, p, "ping", 0, true);

	return r < 0 ? r : wait_for_success(&a, timeout_us, &reply);
}

poold_public int poold_poll(poold *p, uint64_t id, poold_state *ret_state)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	struct cursor c;
	const char *text;
	size_t len;
	int r = begin(&a, p, "poll", 1, ret_state);

	if (r < 0)
		return r;
	bufpack_uint(&a.draft.pk, id);
	r = wait_for_success(&a, POOLD_FOREVER, &reply);
	if (r < 0)
		return r;
	c = cl_value_encoded(&reply->value);
	if (!cursor_text(&c, &text, &len) || !cl_state_from(text, len, ret_state))
		r = cl_fail(p, -EPROTO, "the daemon answered poll with what is no state");
	return r;
}

static void pack_need(struct bufpack *p, int need)
{
	switch (need) {
	case POOLD_FOR_ALL: bufpack_text(p, "all"); break;
	case POOLD_FOR_ANY: bufpack_text(p, "any"); break;
	case POOLD_FOR_FIRST_FAILURE: bufpack_text(p, "first_failure"); break;
	default: bufpack_int(p, need); break;
	}
}

static int wait_for_targets(
	poold *p, const struct targets *t, int need, uint64_t timeout_us, poold_reply **ret_reply)
{
	bool is_sane = are_sane(t) && need >= POOLD_FOR_FIRST_FAILURE && ret_reply;
	struct cl_answer a;
	int r = begin(&a, p, "wait", 2, is_sane);

	if (r < 0)
		return r;
	pack_targets(&a.draft.pk, t);
	bufpack_map(&a.draft.pk, timeout_us == POOLD_FOREVER ? 1 : 2);
	bufpack_text(&a.draft.pk, "for");
	pack_need(&a.draft.pk, need);
	if (timeout_us != POOLD_FOREVER)
		pack_timeout(&a.draft.pk, timeout_us);
	return cl_answer_wait(&a, POOLD_FOREVER, ret_reply);
}

poold_public int poold_wait_ids(poold *p, const uint64_t *ids, size_t n_ids, int need,
	uint64_t timeout_us, poold_reply **ret_reply)
{
	struct targets t = {.ids = ids, .n_ids = n_ids};

	return wait_for_targets(p, &t, need, timeout_us, ret_reply);
}

poold_public int poold_wait_matching(poold *p, const poold_filter *filter, int need,
	uint64_t timeout_us, poold_reply **ret_reply)
{
	struct targets t = {.filter = filter, .is_filter = true};

	return wait_for_targets(p, &t, need, timeout_us, ret_reply);
}

poold_public int poold_result(
	poold *p, uint64_t id, uint64_t timeout_us, int release, poold_reply **ret_reply)
{
	struct cl_answer a;
	int r = begin(&a, p, "result", 2, ret_reply);

	if (r < 0)
		return r;
	bufpack_uint(&a.draft.pk, id);
	bufpack_map(&a.draft.pk, (timeout_us != POOLD_FOREVER) + (release != 0));
	if (timeout_us != POOLD_FOREVER)
		pack_timeout(&a.draft.pk, timeout_us);
	if (release) {
		bufpack_text(&a.draft.pk, "release");
		bufpack_bool(&a.draft.pk, true);
	}
	return cl_answer_wait(&a, POOLD_FOREVER, ret_reply);
}

/* [bytes, eof] */
static ssize_t parse_read(const poold_reply *reply, void *buffer, size_t max, int *ret_eof)
{
	struct cursor c = cl_value_encoded(&reply->value);
	const void *bytes;
	uint32_t n;
	size_t len;
	bool eof;

	if (!cursor_array(&c, &n) || n != 2 || !cursor_bytes(&c, &bytes, &len) || len > max ||
		!cursor_bool(&c, &eof))
		return -EPROTO;
	memcpy(buffer, bytes, len);
	*ret_eof = eof;
	return (ssize_t)len;
}

static void pack_read(struct bufpack *p, uint64_t id, const char *stream, uint64_t offset,
	size_t max, uint64_t timeout_us)
{
	bool has_timeout = stream && timeout_us != POOLD_FOREVER;

	bufpack_uint(p, id);
	bufpack_uint(p, offset);
	bufpack_uint(p, max);
	bufpack_map(p, (stream != NULL) + has_timeout);
	if (stream) {
		bufpack_text(p, "stream");
		bufpack_text(p, stream);
	}
	if (has_timeout)
		pack_timeout(p, timeout_us);
}

poold_public ssize_t poold_read(poold *p, uint64_t id, const char *stream, uint64_t offset,
	size_t max, uint64_t timeout_us, void *buffer, int *ret_eof)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	ssize_t n;
	int r = begin(&a, p, "read", 4, buffer && ret_eof && max > 0);

	if (r < 0)
		return r;
	if (max > READ_BYTES)
		max = READ_BYTES;
	pack_read(&a.draft.pk, id, stream, offset, max, timeout_us);
	r = wait_for_success(&a, POOLD_FOREVER, &reply);
	if (r < 0)
		return r;
	n = parse_read(reply, buffer, max, ret_eof);
	if (n < 0)
		cl_fail(p, -EPROTO, "the daemon answered read with what is not [bytes, eof]");
	return n;
}

poold_public int poold_info(poold *p, uint64_t id, poold_reply **ret_reply)
{
	struct cl_answer a;
	int r = begin(&a, p, "info", 1, ret_reply);

	if (r < 0)
		return r;
	bufpack_uint(&a.draft.pk, id);
	return cl_answer_wait(&a, POOLD_FOREVER, ret_reply);
}

static int cancel_targets(poold *p, const struct targets *t, poold_cancel_mode mode,
	const char *reason, poold_reply **ret_reply)
{
	bool is_sane = are_sane(t) && cl_cancel_mode_name(mode) && ret_reply;
	struct cl_answer a;
	int r = begin(&a, p, "cancel", 2, is_sane);

	if (r < 0)
		return r;
	pack_targets(&a.draft.pk, t);
	cl_cancel_pack_options(&a.draft.pk, mode, reason, reason ? strlen(reason) : 0);
	return cl_answer_wait(&a, POOLD_FOREVER, ret_reply);
}

poold_public int poold_cancel(poold *p, const uint64_t *ids, size_t n_ids, poold_cancel_mode mode,
	const char *reason, poold_reply **ret_reply)
{
	struct targets t = {.ids = ids, .n_ids = n_ids};

	return cancel_targets(p, &t, mode, reason, ret_reply);
}

poold_public int poold_cancel_matching(poold *p, const poold_filter *filter, poold_cancel_mode mode,
	const char *reason, poold_reply **ret_reply)
{
	struct targets t = {.filter = filter, .is_filter = true};

	return cancel_targets(p, &t, mode, reason, ret_reply);
}

poold_public int poold_signal(poold *p, uint64_t id, int signo)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	int r = begin(&a, p, "signal", 2, signo > 0);

	if (r < 0)
		return r;
	bufpack_uint(&a.draft.pk, id);
	bufpack_int(&a.draft.pk, signo);
	return wait_for_success(&a, POOLD_FOREVER, &reply);
}

static bool is_sane_change(const poold_changes *c)
{
	return c && cl_is_known(c, c->size, sizeof(*c)) &&
	       (!c->label || strlen(c->label) <= PROTO_LABEL_BYTES);
}

static void pack_changes(struct bufpack *p, const poold_changes *c)
{
	struct jobspec spec = {
		.priority = c->priority,
		.ttl_us = c->ttl_us,
		.label = c->label,
		.label_len = c->label ? strlen(c->label) : 0,
	};

	spec.set |= c->has_priority ? JOBSPEC_BIT(PRIORITY) : 0;
	spec.set |= c->ttl_us ? JOBSPEC_BIT(TTL) : 0;
	spec.set |= c->label ? JOBSPEC_BIT(LABEL) : 0;
	jobspec_pack(p, &spec);
}

poold_public int poold_change(poold *p, uint64_t id, const poold_changes *changes)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	int r = begin(&a, p, "set", 2, is_sane_change(changes));

	if (r < 0)
		return r;
	bufpack_uint(&a.draft.pk, id);
	pack_changes(&a.draft.pk, changes);
	return wait_for_success(&a, POOLD_FOREVER, &reply);
}

poold_public int poold_retry(poold *p, uint64_t id, uint64_t *ret_id)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	struct cursor c;
	int r = begin(&a, p, "retry", 1, ret_id);

	if (r < 0)
		return r;
	bufpack_uint(&a.draft.pk, id);
	r = wait_for_success(&a, POOLD_FOREVER, &reply);
	if (r < 0)
		return r;
	c = cl_value_encoded(&reply->value);
	if (!cursor_uint(&c, ret_id))
		r = cl_fail(p, -EPROTO, "the daemon answered retry with what is no ID");
	return r;
}

static int release_targets(poold *p, const struct targets *t, size_t *ret_n)
{
	struct cl_answer a;
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	struct cursor c;
	uint64_t n;
	int r = begin(&a, p, "release", 1, are_sane(t));

	if (r < 0)
		return r;
	pack_targets(&a.draft.pk, t);
	r = wait_for_success(&a, POOLD_FOREVER, &reply);
	if (r < 0)
		return r;
	c = cl_value_encoded(&reply->value);
	if (!cursor_uint(&c, &n) || (!t->is_filter && n > t->n_ids))
		r = cl_fail(p, -EPROTO, "the daemon answered release with what is no number");
	else if (ret_n)
		*ret_n = (size_t)n;
	return r;
}

poold_public int poold_release(poold *p, const uint64_t *ids, size_t n_ids, size_t *ret_n)
{
	struct targets t = {.ids = ids, .n_ids = n_ids};

	return release_targets(p, &t, ret_n);
}

poold_public int poold_release_matching(poold *p, const poold_filter *filter, size_t *ret_n)
{
	struct targets t = {.filter = filter, .is_filter = true};

	return release_targets(p, &t, ret_n);
}
