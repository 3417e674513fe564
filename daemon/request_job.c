/* submit, submit_many, call, put, retry: new futures.
 *
 * submit_many is all or none: a job is handed over at the end of the turn at the earliest, so what
 * was made before a later input is refused is withdrawn before anybody saw it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/form.h"
#include "daemon/lobby.h"
#include "daemon/order.h"
#include "daemon/reply.h"
#include "daemon/subscription.h"
#include "daemon/workers.h"
#include "proto/jobspec.h"

/* ---- who may, and what ---- */

/* "pool/function", or a function of pool `default`. */
static bool find_function(struct order *o)
{
	struct request *r = o->r;
	const char *text, *slash;
	size_t len, pool_len;

	if (!request_next(r) || !cursor_text(&r->params, &text, &len) || !len ||
		len > PROTO_ADDRESS_BYTES) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"the function is text of 1 to %u bytes, \"pool/function\"",
			PROTO_ADDRESS_BYTES);
		return false;
	}
	slash = memchr(text, '/', len);
	pool_len = slash ? (size_t)(slash - text) : 0;
	o->pool = slash ? core_find_pool(&r->server->core, text, pool_len)
			: core_find_pool(&r->server->core, "default", 7);
	if (!o->pool) {
		request_fail(r, OUTCOME_E_UNKNOWN_POOL, "no such pool: \"%.*s\"",
			slash ? (int)pool_len : 7, slash ? text : "default");
		return false;
	}
	if (!order_is_allowed(o))
		return false;
	if (slash) {
		len -= pool_len + 1;
		text = slash + 1;
	}
	o->function = pool_find_function(o->pool, text, len);
	if (o->function)
		return true;
	if (o->pool->state == POOL_FAILED)
		request_fail(r, OUTCOME_E_INTERNAL, "pool %s failed: %s", o->pool->name,
			o->pool->reason ? o->pool->reason : "no reason is known");
	else
		request_fail(r, OUTCOME_E_UNKNOWN_FUNCTION, "pool %s has no function \"%.*s\"",
			o->pool->name, (int)len, text);
	return false;
}

static bool read_function(struct order *o)
{
	const uint8_t *begin = o->r->params.p;

	if (form_take_function(o))
		return order_is_allowed(o);
	if (!find_function(o))
		return false;
	form_keep_function(o, begin);
	return true;
}

static bool read_options(struct order *o, uint32_t allowed)
{
	struct request *r = o->r;
	const uint8_t *begin = r->params.p;
	struct jobspec_error why;

	if (form_take_options(o, allowed))
		return true;
	if (!request_next(r) || cursor_nil(&r->params))
		return true;
	if (jobspec_parse(&o->spec, &r->params, allowed, &why) != 0) {
		request_fail(r, why.code, "%s", why.message);
		return false;
	}
	if (o->spec.set & JOBSPEC_BIT(ADMIT_WITHIN))
		lobby_enter(r, o->spec.admit_within_us);
	form_keep_options(o, begin);
	return true;
}

/* ---- inputs ---- */

/* The order's next value, checked. False: it was refused. */
static bool read_value(struct order *o)
{
	static uint64_t ids[PROTO_JOB_VALUES];
	struct request *r = o->r;

	switch (survey_value(&o->value, &r->params, ids)) {
	case 0:
		if (o->pool || !o->value.n_ids)
			return true;
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"a value that is put names no futures (ext type 2)");
		break;
	case SURVEY_E_DEEP:
		request_fail(r, OUTCOME_E_TOO_DEEP, "a value nests %u deep, at most %u",
			o->value.depth, PROTO_VALUE_DEPTH);
		break;
	case SURVEY_E_ID:
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"ext type 2: a future ID is an integer from 0 to 2^53-1");
		break;
	case SURVEY_E_MANY:
		request_fail(r, OUTCOME_E_TOO_LARGE, "an input names more than %u futures",
			PROTO_JOB_VALUES);
		break;
	default: request_fail(r, OUTCOME_E_BAD_REQUEST, "a value is missing"); break;
	}
	return false;
}

/* A command is no function of elements; it would take the array for its words. */
static bool can_each(struct order *o)
{
	if (workers_config(o->pool)->handler == HANDLER_MODULE)
		return true;
	request_fail(o->r, OUTCOME_E_BAD_REQUEST,
		"option \"each\" is for functions of modules, pool %s runs commands",
		o->pool->name);
	return false;
}

/* With option `each` the value is an array, as far as one can see: that of another future the
 * worker looks at. The option comes behind the value. */
static bool is_fit_for_each(struct order *o)
{
	struct cursor value = o->value.value;

	if (!o->spec.each)
		return true;
	if (!can_each(o))
		return false;
	if (cursor_peek(&value) == CURSOR_ARRAY || (o->value.n_ids == 1 && !o->value.depth))
		return true;
	request_fail(o->r, OUTCOME_E_BAD_REQUEST, "option \"each\": the input is no array");
	return false;
}

static bool has_known_exts(struct request *r)
{
	if (r->has_value_ext)
		request_fail(r, OUTCOME_E_BAD_REQUEST, "ext type 3 is the daemon's own");
	return !r->has_value_ext;
}

/* ---- one ---- */

static unsigned kinds_of(const struct jobspec *spec)
{
	return (spec->deliver ? SUBSCRIPTION_DELIVER : 0) |
	       (spec->attached ? SUBSCRIPTION_ATTACHED : 0);
}

static void answer_id(struct request *r, const struct future *f)
{
	bufpack_uint(reply_begin(reply_to_request(r)), f->id);
	reply_end();
}

/* Made, subscribed to, answered; or refused and gone. */
static void order_one(struct order *o, unsigned kinds)
{
	struct future *f;

	o->is_single = true;
	f = order_make(o);
	if (!f)
		return;
	if (kinds && !subscription_new(o->r, f, kinds)) {
		order_undo(o, f);
		return;
	}
	if (!(kinds & SUBSCRIPTION_CALL))
		answer_id(o->r, f);
	if (!o->is_known)
		watches_joined(&o->r->server->watches, f);
}

void request_submit(struct request *r)
{
	cleanup(order_deinit) struct order o = {.r = r};

	if (read_function(&o) && request_next(r) && read_value(&o) && has_known_exts(r) &&
		read_options(&o, JOBSPEC_FOR_SUBMIT) && is_fit_for_each(&o))
		order_one(&o, kinds_of(&o.spec));
}

void request_call(struct request *r)
{
	cleanup(order_deinit) struct order o = {.r = r};
	unsigned kinds = SUBSCRIPTION_CALL;

	if (!read_function(&o) || !request_next(r) || !read_value(&o) || !has_known_exts(r) ||
		!read_options(&o, JOBSPEC_FOR_CALL) || !is_fit_for_each(&o))
		return;
	if (!(o.spec.set & JOBSPEC_BIT(ATTACHED)) || o.spec.attached)
		kinds |= SUBSCRIPTION_ATTACHED;
	if (o.spec.deliver)
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"call delivers its result as its answer: no option deliver");
	else
		order_one(&o, kinds);
}

void request_put(struct request *r)
{
	cleanup(order_deinit) struct order o = {.r = r};

	if (request_next(r) && read_value(&o) && has_known_exts(r) &&
		read_options(&o, JOBSPEC_FOR_PUT))
		order_one(&o, o.spec.attached ? SUBSCRIPTION_HOLD : 0);
}

/* ---- once more ---- */

/* Only what ended, and not well: the input of a job that got done is not kept. */
static bool is_repeatable(struct request *r, const struct future *f)
{
	unsigned long long id = f->id;

	if (!future_state_is_final(f->state))
		request_fail(r, OUTCOME_E_NOT_READY, "job %llu is not over: it is %s", id,
			outcome_state_name((enum outcome_state)f->state));
	else if (!future_pool(f) || !f->input)
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			!future_pool(f)	   ? "future %llu is no job"
			: f->is_input_lent ? "job %llu had files of its client's own as its "
					     "streams, which are closed: submit it again"
					   : "job %llu is done: there is nothing to run again",
			id);
	else
		return true;
	return false;
}

/* By their names: the job's own pool may have been removed, and be there again. */
static bool find_again(struct order *o, const struct future *f)
{
	const char *pool = future_pool(f)->name, *function = f->function->name;

	o->pool = request_pool(o->r, pool, strlen(pool));
	if (!o->pool)
		return false;
	o->function = pool_find_function(o->pool, function, strlen(function));
	if (!o->function)
		request_fail(o->r, OUTCOME_E_UNKNOWN_FUNCTION, "pool %s has no function \"%s\" now",
			pool, function);
	return o->function;
}

void request_retry(struct request *r)
{
	struct future *f = request_future(r);
	cleanup(order_deinit) struct order o = {.r = r};

	if (!f || !is_repeatable(r, f) || !find_again(&o, f) || !order_is_allowed(&o))
		return;
	if (f->is_each && !can_each(&o))
		return;
	f = order_again(&o, f);
	if (!f)
		return;
	answer_id(r, f);
	watches_joined(&r->server->watches, f);
}

/* ---- many ---- */

struct batch {
	struct future **futures;
	struct pending **pendings;
	uint32_t n; /* made */
	uint32_t n_subscribed;
};

static void batch_undo(struct order *o, struct batch *b)
{
	while (b->n_subscribed > 0)
		pending_remove(b->pendings[--b->n_subscribed], false);
	while (b->n > 0)
		order_undo(o, b->futures[--b->n]);
}

/* False: refused, and half of it may be there. */
static bool batch_make(struct order *o, struct batch *b, uint32_t n)
{
	unsigned kinds = kinds_of(&o->spec);

	for (uint32_t i = 0; i < n; i++) {
		if (!read_value(o) || !is_fit_for_each(o))
			return false;
		o->n_more = n - 1 - i;
		b->futures[b->n] = order_make(o);
		if (!b->futures[b->n])
			return false;
		b->n++;
	}
	for (; kinds && b->n_subscribed < n; b->n_subscribed++) {
		struct pending *p = subscription_new(o->r, b->futures[b->n_subscribed], kinds);

		if (!p)
			return false;
		b->pendings[b->n_subscribed] = p;
	}
	return true;
}

static void batch_answer(struct request *r, const struct batch *b)
{
	struct bufpack *p = reply_begin(reply_to_request(r));

	bufpack_array(p, b->n);
	for (uint32_t i = 0; i < b->n; i++)
		bufpack_uint(p, b->futures[i]->id);
	reply_end();
}

/* The inputs stand before the options, so they are stepped over, and read when the options are
 * known. */
void request_submit_many(struct request *r)
{
	cleanup_free struct future **futures = NULL;
	cleanup_free struct pending **pendings = NULL;
	cleanup(order_deinit) struct order o = {.r = r};
	struct cursor inputs, after;
	struct batch b = {0};
	uint32_t n;

	if (!read_function(&o) || !request_next(r))
		return;
	if (!cursor_skip(&r->params, &inputs) || !cursor_array(&inputs, &n)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "submit_many takes a list of inputs");
		return;
	}
	if (!has_known_exts(r) || !read_options(&o, JOBSPEC_FOR_MANY))
		return;
	if (n > PROTO_INPUTS_MAX) {
		request_fail(r, OUTCOME_E_TOO_LARGE, "a list of %u inputs, at most %u", n,
			PROTO_INPUTS_MAX);
		return;
	}
	if ((uint64_t)n * (o.spec.after.n + o.spec.after_any.n) > PROTO_EDGES_MAX) {
		request_fail(r, OUTCOME_E_TOO_LARGE, "%u jobs after %u others, at most %u in all",
			n, o.spec.after.n + o.spec.after_any.n, PROTO_EDGES_MAX);
		return;
	}
	futures = calloc(n + 1, sizeof(*futures));
	pendings = calloc(n + 1, sizeof(*pendings));
	if (!futures || !pendings) {
		request_fail_errno(r, -ENOMEM);
		return;
	}
	b.futures = futures;
	b.pendings = pendings;
	after = r->params;
	r->params = inputs;
	if (batch_make(&o, &b, n)) {
		batch_answer(r, &b);
		for (uint32_t i = 0; i < b.n; i++)
			watches_joined(&r->server->watches, b.futures[i]);
	} else {
		batch_undo(&o, &b);
	}
	r->params = after;
}
