/* What poold does, as a program with libpoold sees it: beside floor.c.
 *
 *	client SOCKET latency N			one no-op call at a time: p50 and p99 in µs
 *	client SOCKET calls N CLIENTS		the same by so many processes at once; also calls per second of all
 *	client SOCKET futures FUNCTION N	independent futures, at most 4096 unfinished: per second
 *	client SOCKET ids FUNCTION N		the same with "submit" and "wait" by ID, 256 at a time
 *	client SOCKET waiters N			N requests that wait for one future: µs each from its end; of as
 *						many pings
 *	client SOCKET replace POOL N US		from the submit of a job that kills its pool's only worker to the answer of
 *						the one behind it, so many µs after the death before: p50, p99
 *	client SOCKET commands N PROGRAM	the same with commands, all submitted at once
 *	client SOCKET payload HOW BYTES N	one call of bench/peek at a time, which reads eight bytes of its
 *					input: p50 and p99 in µs, beside memory.c. The input comes from
 *		none				eight bytes: what such a call costs without payload
 *		buffer				shared memory that was written once
 *		object				the same, which the daemon keeps
 *		heap				memory that has to be copied for every call
 *		result				not at all: large/fill writes BYTES in place
 */
#include "tests/bench/client.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/poold-command.h"
#include "client/poold-request.h"
#include "tests/bench/callers.h"
#include "tests/bench/flow.h"
#include "tests/bench/sample.h"

static const poold_options options = {.size = sizeof(options), .auto_release = 1};

static void noop(void *handle)
{
	poold_reply *reply;

	flow_check(poold_call(handle, "bench/noop", flow_input(), NULL, POOLD_FOREVER, &reply),
		handle, "call");
	flow_check(poold_reply_get_error(reply, NULL, NULL) ? -EPROTO : 0, handle, "a no-op");
	poold_reply_unref(reply);
}

static void latency(poold *p, unsigned n)
{
	struct sample s = sample_new(n);

	for (unsigned i = 0; i < n; i++) {
		uint64_t from_ns = sample_now_ns();

		noop(p);
		sample_add(&s, sample_now_ns() - from_ns);
	}
	sample_print(&s);
}

static void *open_handle(unsigned i, void *socket)
{
	poold *p;

	(void)i;
	flow_check(poold_open(&p, socket), NULL, "open");
	noop(p);
	return p;
}

static void calls(char *socket, unsigned n, unsigned n_clients)
{
	struct callers c = {.open = open_handle, .call = noop, .userdata = socket};

	callers_run(&c, n_clients, n);
}

static void many(poold *p, const char *function, poold_input input, unsigned n, unsigned window)
{
	struct flow w = {.handle = p};
	uint64_t from_ns = sample_now_ns();

	while (w.n_settled < n) {
		while (w.n_sent < n && w.n_sent - w.n_settled < window &&
			flow_send(&w, function, input, NULL))
			;
		flow_pump(&w, POOLD_FOREVER);
	}
	flow_await(&w, n);
	printf("{\"per_second\": %.0f}\n", n / ((double)(sample_now_ns() - from_ns) / 1e9));
}

static void replace(poold *p, const char *pool, unsigned n, unsigned pause_us)
{
	const struct timespec pause = {.tv_nsec = (long)pause_us * 1000};
	char noop[64], crash[64];
	struct sample s = sample_new(n);
	struct flow w = {.handle = p};
	uint8_t signal[9];

	snprintf(noop, sizeof(noop), "%s/noop_serial", pool);
	snprintf(crash, sizeof(crash), "%s/crash", pool);

	for (unsigned i = 0; i < n; i++) {
		struct flow killer = {.handle = p};
		uint64_t from_ns;

		/* A worker that has answered a job was not started in vain. */
		flow_send(&w, noop, flow_input(), NULL);
		flow_await(&w, w.n_sent);
		nanosleep(&pause, NULL);
		from_ns = sample_now_ns();
		flow_send(&killer, crash, flow_number(signal, SIGKILL), NULL);
		flow_send(&w, noop, flow_input(), NULL);
		flow_await(&w, w.n_sent);
		sample_add(&s, sample_now_ns() - from_ns);
		if (killer.n_settled != 1 || killer.n_done)
			flow_check(-EPROTO, p, "a job that kills");
	}
	sample_print(&s);
}

static void commands(poold *p, unsigned n, const char *program)
{
	poold_command *c;

	flow_check(poold_command_new(&c), p, "command");
	flow_check(poold_command_add_arg(c, program), p, "command");
	many(p, "exec", poold_input_command(c), n, n);
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

	flow_check(poold_submit(p, function, input, &options, &f), p, "submit");
	flow_check(poold_future_wait(f, POOLD_FOREVER), p, "wait");
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

	flow_check(poold_buffer_new(&b, bytes), p, "buffer");
	memset(poold_buffer_get_data(b), 'x', bytes);
	repeat(p, "bench/peek", poold_input_buffer(b), 8, n);
	poold_buffer_free(b);
}

/* Put once; by its ID it is an input of every call. */
static void from_object(poold *p, size_t bytes, unsigned n)
{
	poold_buffer *b;
	poold_future *f;

	flow_check(poold_buffer_new(&b, bytes), p, "buffer");
	memset(poold_buffer_get_data(b), 'x', bytes);
	flow_check(poold_put(p, poold_input_buffer(b), NULL, &f), p, "put");
	poold_buffer_free(b);
	flow_check(poold_future_wait(f, POOLD_FOREVER), p, "wait");
	repeat(p, "bench/peek", poold_input_future(poold_future_get_id(f)), 8, n);
	flow_check(poold_future_release(f), p, "release");
	flow_check(poold_flush(p, POOLD_FOREVER), p, "flush");
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
	uint8_t encoded[9];

	repeat(p, "large/fill", flow_number(encoded, bytes), bytes, n);
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

static unsigned number(const char *s)
{
	return (unsigned)strtoul(s, NULL, 10);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[2] : "";
	poold *p = NULL;

	if (argc > 3)
		flow_check(poold_open(&p, argv[1]), NULL, "open");
	if (argc == 4 && strcmp(mode, "latency") == 0)
		latency(p, number(argv[3]));
	else if (argc == 5 && strcmp(mode, "calls") == 0 && number(argv[4]))
		calls(argv[1], number(argv[3]), number(argv[4]));
	else if (argc == 5 && strcmp(mode, "futures") == 0)
		many(p, argv[3], flow_input(), number(argv[4]), 4096);
	else if (argc == 5 && strcmp(mode, "ids") == 0)
		client_ids(p, argv[3], number(argv[4]));
	else if (argc == 4 && strcmp(mode, "waiters") == 0)
		client_waiters(p, number(argv[3]));
	else if (argc == 6 && strcmp(mode, "replace") == 0)
		replace(p, argv[3], number(argv[4]), number(argv[5]));
	else if (argc == 5 && strcmp(mode, "commands") == 0)
		commands(p, number(argv[3]), argv[4]);
	else if (argc != 6 || strcmp(mode, "payload") != 0 ||
		 !payload(p, argv[3], strtoul(argv[4], NULL, 10), number(argv[5]))) {
		fputs("usage: client SOCKET latency N | calls N CLIENTS | futures FUNCTION N |\n"
		      "       ids FUNCTION N | waiters N | replace POOL N US | commands N PROGRAM "
		      "|\n"
		      "       payload none|buffer|object|heap|result BYTES "
		      "N\n",
			stderr);
		return 2;
	}
	poold_unref(p);
	return 0;
}
