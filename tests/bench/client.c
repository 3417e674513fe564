/* What poold does, as a program with libpoold sees it: beside floor.c.
 *
 *	client SOCKET latency N			one no-op call at a time: p50 and p99 in µs
 *	client SOCKET futures FUNCTION N	independent futures, at most 4096 unfinished: per second
 *	client SOCKET commands N PROGRAM	the same with commands, at most 64 unfinished
 *	client SOCKET payload HOW BYTES N	one call of bench/peek at a time, which reads eight bytes of its
 *					input: p50 and p99 in µs, beside memory.c. The input comes from
 *		none				eight bytes: what such a call costs without payload
 *		buffer				shared memory that was written once
 *		object				the same, which the daemon keeps
 *		heap				memory that has to be copied for every call
 *		result				not at all: bench/fill writes BYTES in place
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/poold-command.h"
#include "client/poold-request.h"
#include "client/poold.h"
#include "tests/bench/sample.h"

#define BYTES 64

struct flow {
	poold *handle;
	const char *function;
	poold_input input;
	unsigned n, window;
	unsigned n_sent, n_settled, n_done;
};

static const poold_options options = {.size = sizeof(options), .auto_release = 1};

static void check(int r, const poold *p, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, poold_strerror(r), p ? poold_get_error_text(p) : "");
	exit(1);
}

static void latency(poold *p, unsigned n)
{
	static const char bytes[BYTES];
	struct sample s = sample_new(n);
	poold_reply *reply;

	for (unsigned i = 0; i < n; i++) {
		uint64_t from_ns = sample_now_ns();

		check(poold_call(p, "bench/noop", poold_input_bytes(bytes, BYTES), NULL,
			      POOLD_FOREVER, &reply),
			p, "call");
		sample_add(&s, sample_now_ns() - from_ns);
		check(poold_reply_get_error(reply, NULL, NULL) ? -EPROTO : 0, p, "a no-op");
		poold_reply_unref(reply);
	}
	sample_print(&s);
}

static int on_settled(poold_future *f, void *userdata)
{
	struct flow *w = userdata;

	w->n_settled++;
	w->n_done += poold_future_get_state(f) == POOLD_DONE;
	return 0;
}

static bool send_one(struct flow *w)
{
	poold_future *f;
	int r;

	r = poold_submit(w->handle, w->function, w->input, &options, &f);
	if (r == -EAGAIN)
		return false;
	check(r, w->handle, "submit");
	check(poold_future_set_callback(f, on_settled, w), w->handle, "callback");
	poold_future_unref(f);
	w->n_sent++;
	return true;
}

static void flow_run(struct flow *w)
{
	uint64_t from_ns = sample_now_ns();

	while (w->n_settled < w->n) {
		while (w->n_sent < w->n && w->n_sent - w->n_settled < w->window && send_one(w))
			;
		check(poold_wait(w->handle, POOLD_FOREVER), w->handle, "wait");
		check(poold_process(w->handle), w->handle, "process");
	}
	if (w->n_done != w->n) {
		fprintf(stderr, "%u of %u are done\n", w->n_done, w->n);
		exit(1);
	}
	printf("{\"per_second\": %.0f}\n", w->n / ((double)(sample_now_ns() - from_ns) / 1e9));
}

static void futures(poold *p, const char *function, unsigned n)
{
	static const char bytes[BYTES];
	struct flow w = {.handle = p,
		.function = function,
		.input = poold_input_bytes(bytes, BYTES),
		.n = n,
		.window = 4096};

	flow_run(&w);
}

static void commands(poold *p, unsigned n, const char *program)
{
	struct flow w = {.handle = p, .function = "exec", .n = n, .window = 64};
	poold_command *c;

	check(poold_command_new(&c), p, "command");
	check(poold_command_add_arg(c, program), p, "command");
	w.input = poold_input_command(c);
	flow_run(&w);
	poold_command_free(c);
}

/* ---- payload ---- */

/* One call, and its result looked at. The caller knows what the result has to be. */
static uint64_t call(poold *p, const char *function, poold_input input, size_t len)
{
	uint64_t from_ns = sample_now_ns(), ns;
	const char *code = "", *message = "";
	const void *bytes;
	poold_future *f;
	size_t n = 0;

	check(poold_submit(p, function, input, &options, &f), p, "submit");
	check(poold_future_wait(f, POOLD_FOREVER), p, "wait");
	if (poold_future_get_bytes(f, &bytes, &n) < 0 || n != len ||
		(n && (((const char *)bytes)[0] != 'x' || ((const char *)bytes)[n - 1] != 'x'))) {
		poold_future_get_error(f, &code, &message);
		fprintf(stderr, "%s: %zu bytes: %s %s\n", function, n, code, message);
		exit(1);
	}
	ns = sample_now_ns() - from_ns;
	poold_future_unref(f);
	return ns;
}

static void repeat(poold *p, const char *function, poold_input input, size_t len, unsigned n)
{
	struct sample s = sample_new(n);

	for (unsigned i = 0; i < n; i++) {
		uint64_t ns = call(p, function, input, len);

		sample_add(&s, ns);
		sample_pause(ns);
	}
	sample_print(&s);
}

static void without(poold *p, size_t bytes, unsigned n)
{
	(void)bytes;
	repeat(p, "bench/peek", poold_input_text("xxxxxxxx"), 8, n);
}

static void from_buffer(poold *p, size_t bytes, unsigned n)
{
	poold_buffer *b;

	check(poold_buffer_new(&b, bytes), p, "buffer");
	memset(poold_buffer_get_data(b), 'x', bytes);
	repeat(p, "bench/peek", poold_input_buffer(b), 8, n);
	poold_buffer_free(b);
}

/* Put once; by its ID it is an input of every call. */
static void from_object(poold *p, size_t bytes, unsigned n)
{
	poold_buffer *b;
	poold_future *f;

	check(poold_buffer_new(&b, bytes), p, "buffer");
	memset(poold_buffer_get_data(b), 'x', bytes);
	check(poold_put(p, poold_input_buffer(b), NULL, &f), p, "put");
	poold_buffer_free(b);
	check(poold_future_wait(f, POOLD_FOREVER), p, "wait");
	repeat(p, "bench/peek", poold_input_future(poold_future_get_id(f)), 8, n);
	check(poold_future_release(f), p, "release");
	check(poold_flush(p, POOLD_FOREVER), p, "flush");
	poold_future_unref(f);
}

static void from_heap(poold *p, size_t bytes, unsigned n)
{
	void *heap = malloc(bytes + 1);

	if (!heap)
		abort();
	memset(heap, 'x', bytes);
	repeat(p, "bench/peek", poold_input_bytes(heap, bytes), bytes < 8 ? bytes : 8, n);
	free(heap);
}

static void in_place(poold *p, size_t bytes, unsigned n)
{
	uint8_t number[9] = {0xcf}; /* a uint 64 */

	for (unsigned i = 0; i < 8; i++)
		number[1 + i] = (uint8_t)((uint64_t)bytes >> (56 - 8 * i));
	repeat(p, "bench/fill", poold_input_encoded(number, sizeof(number)), bytes, n);
}

static bool payload(poold *p, const char *how, size_t bytes, unsigned n)
{
	static const struct {
		const char *how;
		void (*go)(poold *p, size_t bytes, unsigned n);
	} ways[] = {{"none", without}, {"buffer", from_buffer}, {"object", from_object},
		{"heap", from_heap}, {"result", in_place}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].how, how) == 0 && n) {
			ways[i].go(p, bytes, n);
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[2] : "";
	poold *p;

	if (argc > 3)
		check(poold_open(&p, argv[1]), NULL, "open");
	if (argc == 4 && strcmp(mode, "latency") == 0)
		latency(p, (unsigned)strtoul(argv[3], NULL, 10));
	else if (argc == 5 && strcmp(mode, "futures") == 0)
		futures(p, argv[3], (unsigned)strtoul(argv[4], NULL, 10));
	else if (argc == 5 && strcmp(mode, "commands") == 0)
		commands(p, (unsigned)strtoul(argv[3], NULL, 10), argv[4]);
	else if (argc != 6 || strcmp(mode, "payload") != 0 ||
		 !payload(p, argv[3], strtoul(argv[4], NULL, 10),
			 (unsigned)strtoul(argv[5], NULL, 10))) {
		fputs("usage: client SOCKET latency N | futures FUNCTION N | commands N PROGRAM |\n"
		      "       payload none|buffer|object|heap|result BYTES N\n",
			stderr);
		return 2;
	}
	poold_unref(p);
	return 0;
}
