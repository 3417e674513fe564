/* wait, poll, result, deliver: asking for the end of futures. */
#include <stdlib.h>

#include "daemon/filter.h"
#include "daemon/request.h"
#include "daemon/subscription.h"

/* ---- wait ---- */

struct wait;

struct wait_item {
	struct final_hook hook;
	struct wait *wait;
	uint64_t id;
	uint64_t final_seq; /* 0: not final, or not there */
	const char *word;   /* state, or why it is not there; NULL: not final */
};

struct wait {
	struct pending pending;
	struct heap_node timer;
	struct core *core;
	struct reply_to to;
	uint64_t charged_bytes;
	size_t n_items, n_final, n_needed;
	bool ends_at_failure;
	bool has_failure;
	struct wait_item items[];
};

static bool is_over(const struct wait *w)
{
	return w->n_final >= w->n_needed || (w->ends_at_failure && w->has_failure);
}

static void item_final(struct wait_item *item, const char *word, uint64_t seq, bool is_failure)
{
	struct wait *w = item->wait;

	item->word = word;
	item->final_seq = seq;
	w->n_final++;
	w->has_failure |= is_failure;
}

static void item_on_final(struct final_hook *h, struct future *f)
{
	struct wait_item *item = container_of(h, struct wait_item, hook);

	item_final(item, outcome_state_name((enum outcome_state)f->state), f->end.seq,
		f->state != FUTURE_DONE && f->state != FUTURE_CANCELLED);
	if (item->wait->pending.conn && is_over(item->wait))
		pending_ready(&item->wait->pending);
}

static const struct final_hook_ops item_hook_ops = {.on_final = item_on_final};

static int by_completion(const void *a, const void *b)
{
	const struct wait_item *const *x = a, *const *y = b;

	return ((*x)->final_seq > (*y)->final_seq) - ((*x)->final_seq < (*y)->final_seq);
}

static void wait_answer(struct wait *w)
{
	cleanup_free struct wait_item **final = malloc(
		(w->n_final + 1) * sizeof(struct wait_item *));
	struct bufpack *p;
	size_t n = 0;

	if (!final) {
		reply_error(w->to, "full", "out of memory");
		return;
	}
	for (size_t i = 0; i < w->n_items; i++)
		if (w->items[i].word)
			final[n++] = &w->items[i];
	qsort(final, n, sizeof(*final), by_completion);
	p = reply_begin(w->to);
	bufpack_array(p, n);
	for (size_t i = 0; i < n; i++) {
		bufpack_array(p, 2);
		bufpack_uint(p, final[i]->id);
		bufpack_text(p, final[i]->word);
	}
	reply_end();
}

static void wait_drop(struct wait *w, struct account *account)
{
	for (size_t i = 0; i < w->n_items; i++)
		core_unwait(w->core, &w->items[i].hook.waiter);
	account_give_one(account, ACCOUNT_BYTES, w->charged_bytes);
	free(w);
}

static void wait_write(struct pending *p)
{
	wait_answer(container_of(p, struct wait, pending));
}

static void wait_on_time(struct pending *p, uint64_t now_us)
{
	pending_ready(p);
}

static void wait_free(struct pending *p, bool is_closing)
{
	wait_drop(container_of(p, struct wait, pending), p->conn->account);
}

const struct pending_ops wait_ops = {
	wait_write, wait_on_time, wait_free, .timer_at = PENDING_TIMER_AT(struct wait)};

struct wait_options {
	size_t n_ids;
	uint64_t timeout_us; /* HEAP_NEVER: none */
	size_t n_needed;
	bool ends_at_failure;
};

/* "all", "any", "first_failure", or a number up to the count. */
static bool read_for(struct request *r, const char *key, void *into)
{
	struct wait_options *o = into;
	const char *word;
	uint64_t n;
	size_t len;

	if (cursor_uint(&r->params, &n)) {
		if (n > o->n_ids) {
			request_fail(r, OUTCOME_E_BAD_REQUEST,
				"option for: %llu of %zu futures cannot be waited for",
				(unsigned long long)n, o->n_ids);
			return false;
		}
		o->n_needed = n;
		return true;
	}
	if (!cursor_text(&r->params, &word, &len))
		len = 0;
	if (text_equal(word, len, "any"))
		o->n_needed = o->n_ids ? 1 : 0;
	else if (text_equal(word, len, "first_failure"))
		o->ends_at_failure = true;
	else if (!text_equal(word, len, "all"))
		return option_refuse(r, key, "\"all\", \"any\", \"first_failure\" or a number");
	return true;
}

static const struct option wait_options[] = {
	OPTION("timeout", option_timeout, struct wait_options, timeout_us),
	{"for", read_for, 0},
};

/* Charged, before it is allocated. NULL: refused. */
static struct wait *wait_new(struct request *r, size_t n, const struct wait_options *o)
{
	struct account *account = r->conn->account;
	size_t size = sizeof(struct wait) + n * sizeof(struct wait_item);
	struct refusal why;
	struct wait *w;

	if (account_take_one(account, ACCOUNT_BYTES, size, &why) != 0) {
		request_refuse(r, &why);
		return NULL;
	}
	w = calloc(1, size);
	if (!w) {
		account_give_one(account, ACCOUNT_BYTES, size);
		request_fail_errno(r, -ENOMEM);
		return NULL;
	}
	w->core = &r->server->core;
	w->to = reply_to_request(r);
	w->charged_bytes = size;
	w->n_items = n;
	w->n_needed = o->n_needed;
	w->ends_at_failure = o->ends_at_failure;
	return w;
}

static void wait_add(struct request *r, struct wait *w, size_t i, uint64_t id)
{
	struct wait_item *item = &w->items[i];
	enum outcome_code code;
	struct future *f;

	item->wait = w;
	item->id = id;
	item->hook.ops = &item_hook_ops;
	f = request_find(r, id, &code);
	if (f)
		core_wait(w->core, f, &item->hook.waiter);
	else
		item_final(item, outcome_code_name(code), 0, true);
}

void request_wait(struct request *r)
{
	struct wait_options o = {.timeout_us = HEAP_NEVER};
	cleanup_free uint64_t *ids = NULL;
	struct refusal why;
	struct wait *w;
	size_t n;
	int e;

	if (!filter_or_ids(r, REQUEST_SORTED, false, &ids, &n))
		return;
	o.n_ids = o.n_needed = n;
	if (!option_read(r, wait_options, ARRAY_SIZE(wait_options), &o))
		return;
	w = wait_new(r, n, &o);
	if (!w)
		return;
	for (size_t i = 0; i < n; i++)
		wait_add(r, w, i, ids[i]);
	if (is_over(w) || o.timeout_us == 0) {
		wait_answer(w);
		wait_drop(w, r->conn->account);
		return;
	}
	e = pending_add(&w->pending, r->conn, PENDING_WAIT, &why);
	if (e) {
		wait_drop(w, r->conn->account);
		request_fail_charge(r, e, &why);
		return;
	}
	pending_set_time(&w->pending, heap_after(r->now_us, o.timeout_us));
}

/* ---- result ---- */

struct result {
	struct await await;
	struct heap_node timer;
	bool wants_release;
};

/* The outcome, and the release that goes with it unless the client could not get it. */
static void give_result(struct reply_to to, struct future *f, bool wants_release)
{
	bool is_given = f->state != FUTURE_DONE || !reply_too_large(to.conn, future_value(f));

	reply_outcome(to, f);
	if (wants_release && is_given && to.conn->state <= CONN_ENDED)
		core_release(to.conn->conns->core, f);
}

static void result_write(struct pending *p)
{
	struct result *w = container_of(p, struct result, await.pending);

	if (future_state_is_final(await_future(&w->await)->state))
		give_result(await_to(&w->await), await_future(&w->await), w->wants_release);
	else
		reply_error(await_to(&w->await), "not_ready",
			"the time-out is over and the future is not final");
}

const struct pending_ops result_ops = {
	result_write, wait_on_time, await_free, .timer_at = PENDING_TIMER_AT(struct result)};

static void result_wait(
	struct request *r, struct future *f, uint64_t timeout_us, bool wants_release)
{
	struct result *w = await_new(r, f, PENDING_RESULT, sizeof(*w));

	if (!w)
		return;
	w->wants_release = wants_release;
	pending_set_time(&w->await.pending, heap_after(r->now_us, timeout_us));
}

struct result_options {
	uint64_t timeout_us; /* HEAP_NEVER: none */
	bool wants_release;
};

static const struct option result_options[] = {
	OPTION("timeout", option_timeout, struct result_options, timeout_us),
	OPTION("release", option_bool, struct result_options, wants_release),
};

void request_result(struct request *r)
{
	struct result_options o = {.timeout_us = HEAP_NEVER};
	struct future *f;
	uint64_t id;

	if (!request_id(r, &id) || !option_read(r, result_options, ARRAY_SIZE(result_options), &o))
		return;
	f = request_find_or_fail(r, id);
	if (!f)
		return;
	if (future_state_is_final(f->state))
		give_result(reply_to_request(r), f, o.wants_release);
	else if (o.timeout_us == 0)
		request_fail(r, OUTCOME_E_NOT_READY, "future %llu is %s", (unsigned long long)id,
			outcome_state_name((enum outcome_state)f->state));
	else
		result_wait(r, f, o.timeout_us, o.wants_release);
}

/* ---- poll, deliver ---- */

void request_poll(struct request *r)
{
	struct future *f = request_future(r);

	if (!f)
		return;
	bufpack_text(
		reply_begin(reply_to_request(r)), outcome_state_name((enum outcome_state)f->state));
	reply_end();
}

/* Subscribes to those that are there; false: refused, and none is. */
static bool deliver_known(struct request *r, const uint64_t *ids, size_t n)
{
	cleanup_free struct pending **pendings = calloc(n + 1, sizeof(struct pending *));
	enum outcome_code code;
	size_t made = 0;

	if (!pendings) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		struct future *f = request_find(r, ids[i], &code);

		if (!f)
			continue;
		pendings[made] = subscription_new(r, f, SUBSCRIPTION_DELIVER);
		if (!pendings[made]) {
			while (made > 0)
				pending_remove(pendings[--made], false);
			return false;
		}
		made++;
	}
	return true;
}

void request_deliver(struct request *r)
{
	cleanup_free uint64_t *ids = NULL;
	enum outcome_code code;
	size_t n;

	if (!request_ids(r, REQUEST_SORTED, &ids, &n) || !deliver_known(r, ids, n))
		return;
	reply_true(reply_to_request(r));
	for (size_t i = 0; i < n; i++)
		if (!request_find(r, ids[i], &code))
			reply_final_unknown(r->conn, ids[i], code);
}
