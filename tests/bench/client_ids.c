/* Futures as a client without callbacks uses them: it keeps IDs, and asks. */
#include "tests/bench/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/poold-request.h"
#include "proto/buf.h"
#include "proto/cursor.h"
#include "tests/bench/flow.h"
#include "tests/bench/sample.h"

#define WINDOW 4096 /* unfinished */
#define BATCH  256  /* waited for and released by one request */

struct ids {
	poold *handle;
	struct buf submit;
	unsigned n, n_sent, n_known, n_final;
	uint64_t batch[BATCH];
	unsigned n_batch;
};

static poold_request_args args_of(const struct buf *b)
{
	return (poold_request_args){.size = sizeof(poold_request_args),
		.params = buf_head(b),
		.params_len = buf_used(b)};
}

static void check_pack(const struct bufpack *p)
{
	flow_check(bufpack_error(p), NULL, "pack");
}

/* [[ID, …]] */
static void ask(poold *p, const char *method, const uint64_t *ids, unsigned n,
	poold_reply_callback callback, void *userdata)
{
	struct buf b = BUF_INIT(1 << 20);
	poold_request_args args;
	struct bufpack pack;

	bufpack_init(&pack, &b);
	bufpack_array(&pack, 1);
	bufpack_array(&pack, n);
	for (unsigned i = 0; i < n; i++)
		bufpack_uint(&pack, ids[i]);
	check_pack(&pack);
	args = args_of(&b);
	flow_check(poold_request_async(p, method, &args, callback, userdata), p, method);
	buf_deinit(&b);
}

static struct cursor answer(poold_reply *r, const char *what)
{
	const char *code = "", *message = "";
	const void *bytes;
	size_t n;

	if (poold_reply_get_error(r, &code, &message)) {
		fprintf(stderr, "%s: %s: %s\n", what, code, message);
		flow_check(-EPROTO, NULL, what);
	}
	flow_check(poold_reply_get_encoded(r, &bytes, &n), NULL, what);
	return cursor_of(bytes, n);
}

static int on_waited(poold_reply *r, void *userdata)
{
	struct cursor c = answer(r, "wait");
	struct ids *w = userdata;
	uint64_t ids[BATCH];
	const char *state;
	uint32_t n, two;
	size_t len;

	if (!cursor_array(&c, &n) || n > BATCH)
		flow_check(-EPROTO, NULL, "wait");
	for (uint32_t i = 0; i < n; i++)
		if (!cursor_array(&c, &two) || !cursor_uint(&c, &ids[i]) ||
			!cursor_text(&c, &state, &len) || len != 4 || memcmp(state, "done", 4) != 0)
			flow_check(-EPROTO, NULL, "a no-op is not done");
	ask(w->handle, "release", ids, n, NULL, NULL);
	w->n_final += n;
	return 0;
}

static int on_submitted(poold_reply *r, void *userdata)
{
	struct cursor c = answer(r, "submit");
	struct ids *w = userdata;

	if (!cursor_uint(&c, &w->batch[w->n_batch++]))
		flow_check(-EPROTO, NULL, "submit");
	w->n_known++;
	if (w->n_batch == BATCH || w->n_known == w->n) {
		ask(w->handle, "wait", w->batch, w->n_batch, on_waited, w);
		w->n_batch = 0;
	}
	return 0;
}

static bool submit(struct ids *w)
{
	poold_request_args args = args_of(&w->submit);
	int r = poold_request_async(w->handle, "submit", &args, on_submitted, w);

	if (r == -EAGAIN)
		return false;
	flow_check(r, w->handle, "submit");
	w->n_sent++;
	return true;
}

void client_ids(poold *p, const char *function, unsigned n)
{
	struct ids w = {.handle = p, .submit = BUF_INIT(1 << 20), .n = n};
	static const char bytes[FLOW_BYTES];
	struct flow pump = {.handle = p};
	struct bufpack pack;
	uint64_t from_ns;

	bufpack_init(&pack, &w.submit);
	bufpack_array(&pack, 2);
	bufpack_text(&pack, function);
	bufpack_bin(&pack, bytes, sizeof(bytes));
	check_pack(&pack);
	from_ns = sample_now_ns();
	while (w.n_final < n) {
		while (w.n_sent < n && w.n_sent - w.n_final < WINDOW && submit(&w))
			;
		flow_pump(&pump, POOLD_FOREVER);
	}
	printf("{\"per_second\": %.0f}\n", n / ((double)(sample_now_ns() - from_ns) / 1e9));
	buf_deinit(&w.submit);
}

/* ---- many that wait ---- */

static int on_answer(poold_reply *r, void *n)
{
	answer(r, "an answer");
	++*(unsigned *)n;
	return 0;
}

static void await_answers(poold *p, const unsigned *n_answers, unsigned n)
{
	struct flow pump = {.handle = p};

	while (*n_answers < n)
		flow_pump(&pump, POOLD_FOREVER);
}

static double us_each(uint64_t from_ns, unsigned n)
{
	return (double)(sample_now_ns() - from_ns) / 1e3 / n;
}

void client_waiters(poold *p, unsigned n)
{
	poold_options o = {.size = sizeof(o), .delay_us = 3600000000};
	unsigned n_answers = 0;
	uint64_t id, from_ns;
	double pings_us;
	poold_future *f;

	flow_check(poold_submit(p, "bench/noop", flow_input(), &o, &f), p, "submit");
	flow_check(poold_future_wait_id(f, POOLD_FOREVER), p, "submit");
	id = poold_future_get_id(f);
	from_ns = sample_now_ns();
	for (unsigned i = 0; i < n; i++)
		flow_check(poold_request_async(p, "ping", NULL, on_answer, &n_answers), p, "ping");
	await_answers(p, &n_answers, n);
	pings_us = us_each(from_ns, n);
	n_answers = 0;
	for (unsigned i = 0; i < n; i++)
		ask(p, "wait", &id, 1, on_answer, &n_answers);
	flow_check(poold_ping(p, POOLD_FOREVER), p, "ping");
	from_ns = sample_now_ns();
	flow_check(poold_future_cancel(f, POOLD_CANCEL_QUEUED, NULL), p, "cancel");
	await_answers(p, &n_answers, n);
	printf("{\"us\": %.3f, \"pings_us\": %.3f}\n", us_each(from_ns, n), pings_us);
	flow_check(poold_future_release(f), p, "release");
	flow_check(poold_flush(p, POOLD_FOREVER), p, "flush");
	poold_future_unref(f);
}
