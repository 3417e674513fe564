/* What poold does, as a program with libpoold sees it: beside floor.c.
 *
 *	client SOCKET latency N			one no-op call at a time: p50 and p99 in µs
 *	client SOCKET futures FUNCTION N	independent futures, at most 4096 unfinished: per second
 *	client SOCKET commands N PROGRAM	the same with commands, at most 64 unfinished
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	poold_future *f;

	for (unsigned i = 0; i < n; i++) {
		uint64_t from_ns = sample_now_ns();

		check(poold_submit(p, "bench/noop", poold_input_bytes(bytes, BYTES), &options, &f),
			p, "submit");
		check(poold_future_wait(f, POOLD_FOREVER), p, "wait");
		if (poold_future_get_state(f) != POOLD_DONE)
			check(-1, p, "a no-op is not done");
		sample_add(&s, sample_now_ns() - from_ns);
		poold_future_unref(f);
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
	else {
		fputs("usage: client SOCKET latency N | futures FUNCTION N | commands N PROGRAM\n",
			stderr);
		return 2;
	}
	poold_unref(p);
	return 0;
}
