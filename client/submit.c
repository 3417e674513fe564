/* Jobs in: one `submit` each, with deliver: true, so that the one answer tells the ID and the one
 * notification the end: so every future has an ID from its acknowledgement on, and survives the
 * connection. `call` makes no future: one answer, and one wake-up less. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/poold-request.h"
#include "proto/jobspec.h"

static void set_text(
	struct jobspec *s, uint32_t bit, const char **ret_text, size_t *ret_len, const char *text)
{
	if (!text)
		return;
	s->set |= bit;
	*ret_text = text;
	*ret_len = strlen(text);
}

static void set_time(struct jobspec *s, uint32_t bit, uint64_t *ret_us, uint64_t us)
{
	if (us == 0)
		return;
	s->set |= bit;
	*ret_us = us;
}

bool cl_is_known(const void *of_caller, size_t size, size_t known)
{
	const uint8_t *bytes = of_caller;

	for (size_t i = known; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return size >= known;
}

static int set_ids(
	struct jobspec *s, uint32_t bit, struct jobspec_ids *ret, const uint64_t *ids, size_t n)
{
	if (n == 0)
		return 0;
	if (!ids || n > PROTO_IDS_MAX)
		return -EINVAL;
	s->set |= bit;
	*ret = (struct jobspec_ids){.ids = ids, .n = (uint32_t)n};
	return 0;
}

#define RETRY_ON_ALL (POOLD_RETRY_ON_LOST | POOLD_RETRY_ON_FAILED | POOLD_RETRY_ON_TIMEOUT)
static_assert(POOLD_RETRY_ON_LOST == (int)JOBSPEC_ON_LOST &&
		      POOLD_RETRY_ON_FAILED == (int)JOBSPEC_ON_FAILED &&
		      POOLD_RETRY_ON_TIMEOUT == (int)JOBSPEC_ON_TIMEOUT,
	"our bits are the wire's");

static int set_retries(struct jobspec *s, const poold_options *o)
{
	if (o->retries > PROTO_RETRIES_MAX || o->retry_on > RETRY_ON_ALL)
		return -EINVAL;
	s->set |= o->retries ? JOBSPEC_BIT(RETRIES) : 0;
	s->set |= o->retry_on ? JOBSPEC_BIT(RETRY_ON) : 0;
	s->retries = o->retries;
	s->retry_on = o->retry_on;
	return 0;
}

static int make_spec(poold *p, const poold_options *o, uint32_t allowed, struct jobspec *s)
{
	static const poold_options none = POOLD_OPTIONS_INIT;

	if (!o)
		o = &none;
	if (!cl_is_known(o, o->size, sizeof(*o)))
		return cl_fail(p, -EINVAL, "options of another version, or without their size");
	set_time(s, JOBSPEC_BIT(TIMEOUT), &s->timeout_us, o->timeout_us);
	set_time(s, JOBSPEC_BIT(GRACE), &s->grace_us, o->grace_us);
	set_time(s, JOBSPEC_BIT(TTL), &s->ttl_us, o->ttl_us);
	set_text(s, JOBSPEC_BIT(GROUP), &s->group, &s->group_len, o->group);
	set_text(s, JOBSPEC_BIT(LABEL), &s->label, &s->label_len, o->label);
	set_text(s, JOBSPEC_BIT(TRACE), &s->trace, &s->trace_len, o->trace);
	set_text(s, JOBSPEC_BIT(KEY), &s->key, &s->key_len, o->key);
	set_time(s, JOBSPEC_BIT(START_WITHIN), &s->start_within_us, o->start_within_us);
	set_time(s, JOBSPEC_BIT(DEADLINE), &s->deadline_us, o->deadline_us);
	set_time(s, JOBSPEC_BIT(DELAY), &s->delay_us, o->delay_us);
	set_time(s, JOBSPEC_BIT(BACKOFF), &s->backoff_us, o->backoff_us);
	set_time(s, JOBSPEC_BIT(ADMIT_WITHIN), &s->admit_within_us, o->admit_within_us);
	if (o->priority != 0) {
		s->set |= JOBSPEC_BIT(PRIORITY);
		s->priority = o->priority;
	}
	if (o->each) {
		s->set |= JOBSPEC_BIT(EACH);
		s->each = true;
	}
	if (o->attached) {
		s->set |= JOBSPEC_BIT(ATTACHED);
		s->attached = true;
	}
	if (set_ids(s, JOBSPEC_BIT(AFTER), &s->after, o->after, o->n_after) < 0 ||
		set_ids(s, JOBSPEC_BIT(AFTER_ANY), &s->after_any, o->after_any, o->n_after_any) < 0)
		return cl_fail(p, -EINVAL, "after: %u IDs at most", PROTO_IDS_MAX);
	if (set_retries(s, o) < 0)
		return cl_fail(p, -EINVAL, "up to %u retries, on known ends", PROTO_RETRIES_MAX);
	if (s->set & ~allowed)
		return cl_fail(p, -EINVAL, "an option that this cannot have");
	return 0;
}

static int make_submit_spec(poold *p, const poold_options *o, uint32_t allowed, struct jobspec *ret)
{
	*ret = (struct jobspec){.set = JOBSPEC_BIT(DELIVER), .deliver = true};
	return make_spec(p, o, allowed, ret);
}

/* Nothing but what the library sees to by itself. */
static bool is_plain(const poold_options *o)
{
	uint64_t numbers = o->timeout_us | o->grace_us | o->ttl_us | o->start_within_us |
			   o->deadline_us | o->delay_us | o->backoff_us | o->admit_within_us |
			   o->n_after | o->n_after_any | (uint32_t)o->priority | o->retries |
			   o->retry_on | o->attached | o->each;

	return o->size == sizeof(*o) && !numbers && !o->group && !o->label && !o->trace && !o->key;
}

/* Most jobs: {deliver: true} alone. */
static void pack_plain(struct bufpack *p)
{
	uint8_t *at = bufpack_open(p, 1 + ENCODE_KEY_BYTES("deliver") + 1);

	if (at)
		bufpack_close(p, encode_bool(encode_key(encode_map(at, 1), "deliver"), true));
}

static int check_function(poold *p, const char *function)
{
	size_t len = function ? strlen(function) : 0;
	int r = cl_check_open(p);

	if (r < 0)
		return r;
	if (len == 0 || len > PROTO_ADDRESS_BYTES)
		return cl_fail(
			p, -EINVAL, "a function's address has 1 to %u bytes", PROTO_ADDRESS_BYTES);
	return 0;
}

/* Packs behind the head of a request: function (unless NULL), input, options (NULL: plain). */
static int pack_job(struct cl_draft *d, const char *function, const poold_input *input,
	const struct jobspec *spec)
{
	int r;

	bufpack_array(&d->pk, function ? 3 : 2);
	if (function)
		bufpack_text(&d->pk, function);
	r = cl_payload_pack(d, input, PROTO_VALUE_DEPTH);
	if (r == 0 && spec)
		jobspec_pack(&d->pk, spec);
	else if (r == 0)
		pack_plain(&d->pk);
	return r;
}

int cl_submit_no_input(poold *p, int r)
{
	switch (r) {
	case -EINVAL: return cl_fail(p, r, "an input that makes no sense");
	case -EBADMSG:
		return cl_fail(p, r,
			"an encoded input is one MessagePack value of at most %u levels "
			"that names exactly the fds beside it",
			PROTO_VALUE_DEPTH);
	case -E2BIG: return cl_fail(p, r, "a message can have %u fds at most", PROTO_MESSAGE_FDS);
	case -EAGAIN:
		return cl_fail(p, r, "%u messages with fds wait to be sent, that many are kept",
			CL_MARKS_MAX);
	default: return r;
	}
}

/* One future, by submit or put. */
static int send_one(poold *p, const char *method, const char *function, const poold_input *input,
	const struct jobspec *spec, const poold_options *o, poold_future **ret)
{
	struct cl_draft d;
	poold_future *f;
	int r = cl_future_new(p, &f);

	if (r < 0)
		return r;
	f->is_put = !function;
	f->want_release = o && o->auto_release;
	r = cl_call_begin(&d, p, &f->call, method);
	if (r == 0) {
		r = pack_job(&d, function, input, spec);
		if (r < 0) {
			cl_draft_abort(&d);
			r = cl_submit_no_input(p, r);
		} else {
			r = cl_call_commit(&d, &f->call);
		}
	}
	if (r < 0) {
		poold_future_unref(f);
		return r;
	}
	*ret = poold_future_ref(f); /* the first one is the request's */
	return 0;
}

poold_public int poold_submit(poold *p, const char *function, poold_input input,
	const poold_options *options, poold_future **ret_future)
{
	struct jobspec spec, *given = options && !is_plain(options) ? &spec : NULL;
	int r = check_function(p, function);

	if (r == 0 && !ret_future)
		r = -EINVAL;
	if (r == 0 && given)
		r = make_submit_spec(p, options, JOBSPEC_FOR_SUBMIT, given);
	return r < 0 ? r : send_one(p, "submit", function, &input, given, options, ret_future);
}

poold_public int poold_put(
	poold *p, poold_input value, const poold_options *options, poold_future **ret_future)
{
	struct jobspec spec = {};
	int r = cl_check_open(p);

	if (r == 0)
		r = ret_future ? make_spec(p, options, JOBSPEC_FOR_PUT, &spec) : -EINVAL;
	return r < 0 ? r : send_one(p, "put", NULL, &value, &spec, options, ret_future);
}

poold_public int poold_call(poold *p, const char *function, poold_input input,
	const poold_options *options, uint64_t timeout_us, poold_reply **ret_reply)
{
	struct jobspec spec = {};
	struct cl_answer a;
	int r = check_function(p, function);

	if (r == 0)
		r = ret_reply ? make_spec(p, options, JOBSPEC_FOR_CALL, &spec) : -EINVAL;
	if (r == 0)
		r = cl_answer_begin(&a, p, "call");
	if (r < 0)
		return r;
	r = pack_job(&a.draft, function, &input, &spec);
	if (r == 0)
		return cl_answer_wait(&a, timeout_us, ret_reply);
	cl_request_abort(&a.draft, a.request);
	return cl_submit_no_input(p, r);
}

static int pack_jobs(struct cl_draft *d, const char *function, const poold_input *inputs, size_t n,
	const struct jobspec *spec)
{
	int r = 0;

	bufpack_array(&d->pk, 3);
	bufpack_text(&d->pk, function);
	bufpack_array(&d->pk, n);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = cl_payload_pack(d, &inputs[i], PROTO_VALUE_DEPTH);
		if (r == 0 && cl_draft_len(d) > d->p->max_message)
			break; /* the commit refuses it */
	}
	if (r == 0)
		jobspec_pack(&d->pk, spec);
	return r;
}

/* n new futures; the batch has the only references. */
static int make_batch(poold *p, size_t n, bool want_release, struct cl_batch **ret)
{
	struct cl_batch *b = NULL;
	poold_future *f;
	int r = cl_batch_new(n, &b);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = cl_future_new(p, &f);
		if (r < 0) {
			cl_batch_free(b);
			break;
		}
		f->want_release = want_release;
		cl_batch_add(b, f);
		poold_future_unref(f);
	}
	if (r == 0)
		*ret = b;
	return r;
}

static int send_many(struct cl_batch *b, poold *p, const char *function, const poold_input *inputs,
	const struct jobspec *spec)
{
	struct cl_draft d;
	int r = cl_call_begin(&d, p, &b->call, "submit_many");

	if (r < 0)
		return r;
	r = pack_jobs(&d, function, inputs, b->n, spec);
	if (r == 0)
		return cl_call_commit(&d, &b->call);
	cl_draft_abort(&d);
	return cl_submit_no_input(p, r);
}

poold_public int poold_submit_many(poold *p, const char *function, const poold_input *inputs,
	size_t n_inputs, const poold_options *options, poold_future **ret_futures)
{
	struct jobspec spec;
	struct cl_batch *b = NULL;
	int r = check_function(p, function);

	if (r == 0)
		r = inputs && n_inputs > 0 && ret_futures
			    ? make_submit_spec(p, options, JOBSPEC_FOR_MANY, &spec)
			    : -EINVAL;
	/* an input takes a byte at least: more of them than fit need no futures */
	if (r == 0 && n_inputs > p->max_message)
		r = cl_fail(p, -EMSGSIZE, "%zu inputs do not fit into a message", n_inputs);
	if (r == 0)
		r = make_batch(p, n_inputs, options && options->auto_release, &b);
	if (r < 0)
		return r;
	r = send_many(b, p, function, inputs, &spec);
	if (r < 0) {
		cl_batch_free(b);
		return r;
	}
	for (size_t i = 0; i < n_inputs; i++)
		ret_futures[i] = poold_future_ref(b->futures[i]);
	return 0;
}

poold_public int poold_future_open(poold *p, uint64_t id, poold_future **ret_future)
{
	struct cl_draft d;
	poold_future *f;
	int r = cl_check_open(p);

	if (r < 0)
		return r;
	if (!ret_future || id == 0 || id >= PROTO_ID_END)
		return cl_fail(p, -EINVAL, "an ID is above 0 and below 2^53");
	f = cl_future_of(cl_table_find(&p->ids, id));
	if (f) {
		*ret_future = poold_future_ref(f);
		return 0;
	}
	r = cl_future_new(p, &f);
	if (r < 0)
		return r;
	r = cl_table_reserve(&p->ids, 1);
	if (r == 0)
		r = cl_call_begin(&d, p, &f->call, "deliver");
	if (r == 0) {
		bufpack_array(&d.pk, 1);
		bufpack_array(&d.pk, 1);
		bufpack_uint(&d.pk, id);
		r = cl_call_commit(&d, &f->call);
	}
	if (r == 0)
		r = cl_future_accept(poold_future_ref(f), id);
	if (r < 0) {
		poold_future_unref(f);
		return r;
	}
	*ret_future = f; /* the first reference is the request's, the second the caller's */
	return 0;
}
