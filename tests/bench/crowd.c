/* What many jobs, and others' jobs, cost: as a program with libpoold sees it.
 *
 *	crowd SOCKET alone CALLS		no-op calls of one uid, 100 a second: p50 and p99 in µs
 *	crowd SOCKET flooded CALLS		the same while another uid submits at full speed
 *	crowd SOCKET queued FUNCTION N ROUNDS	N jobs are queued, then run: µs a job, the wait between left out
 *	crowd SOCKET mixed FUNCTION N ROUNDS	the same with mixed priorities, delays and deadlines
 *
 * The first two need root, to be two users.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/poold-request.h"
#include "client/poold.h"
#include "tests/bench/sample.h"

#define BYTES	   64
#define PERIOD_NS  10000000u
#define UNFINISHED 100000u /* of the flood */
#define N_WORKERS  2
#define LONG_US	   3600000000u

static void fail(const char *what, const poold *p)
{
	fprintf(stderr, "%s: %s\n", what, p ? poold_get_error_text(p) : "");
	exit(1);
}

static void check(int r, const char *what, const poold *p)
{
	if (r < 0)
		fail(what, p);
}

struct crowd {
	poold *handle;
	unsigned n_sent, n_settled, n_done;
};

static int on_settled(poold_future *f, void *userdata)
{
	struct crowd *c = userdata;

	c->n_settled++;
	c->n_done += poold_future_get_state(f) == POOLD_DONE;
	return 0;
}

/* False: too much waits to be sent. */
static bool send_with(struct crowd *c, const char *function, const poold_options *o)
{
	static const char bytes[BYTES];
	poold_future *f;
	int r = poold_submit(c->handle, function, poold_input_bytes(bytes, BYTES), o, &f);

	if (r == -EAGAIN)
		return false;
	check(r, "submit", c->handle);
	check(poold_future_set_callback(f, on_settled, c), "callback", c->handle);
	poold_future_unref(f);
	c->n_sent++;
	return true;
}

static bool send_one(struct crowd *c, const char *function)
{
	poold_options o = {.size = sizeof(o), .auto_release = 1};

	return send_with(c, function, &o);
}

static void pump(struct crowd *c, uint64_t timeout_us)
{
	check(poold_wait(c->handle, timeout_us), "wait", c->handle);
	check(poold_process(c->handle), "process", c->handle);
}

/* ---- two users ----------------------------------------------------------------------------------
 */

static poold *open_as(const char *socket, uid_t uid)
{
	poold *p;

	check(seteuid(uid), "seteuid (this needs root)", NULL);
	if (poold_new(&p) < 0 || poold_set_server_uid(p, 0) < 0 || poold_set_socket(p, socket) < 0)
		fail("a handle", NULL);
	check(poold_connect(p), "connect", p);
	check(seteuid(0), "seteuid", NULL);
	return p;
}

/* Until it is killed. */
static void flood(const char *socket)
{
	struct crowd c = {.handle = open_as(socket, 61002)};

	for (;;) {
		while (c.n_sent - c.n_settled < UNFINISHED && send_one(&c, "bench/noop_serial"))
			;
		pump(&c, POOLD_FOREVER);
	}
}

static void await_tick(poold *p, uint64_t at_ns)
{
	uint64_t now_ns;

	while ((now_ns = sample_now_ns()) < at_ns) {
		check(poold_wait(p, (at_ns - now_ns) / 1000), "wait", p);
		check(poold_process(p), "process", p);
	}
}

static void hundred_a_second(const char *socket, unsigned n_calls)
{
	struct crowd c = {.handle = open_as(socket, 61001)};
	struct sample s = sample_new(n_calls);
	uint64_t at_ns = sample_now_ns();

	for (unsigned i = 0; i < n_calls; i++) {
		uint64_t from_ns;

		at_ns += PERIOD_NS;
		await_tick(c.handle, at_ns);
		from_ns = sample_now_ns();
		if (!send_one(&c, "bench/noop_serial"))
			fail("too much to send", c.handle);
		while (c.n_settled < c.n_sent)
			pump(&c, POOLD_FOREVER);
		sample_add(&s, sample_now_ns() - from_ns);
	}
	if (c.n_done != c.n_sent)
		fail("one was refused, or did not end well", c.handle);
	sample_print(&s);
	poold_unref(c.handle);
}

static void flooded(const char *socket, unsigned n_calls)
{
	pid_t pid = fork();

	check(pid, "fork", NULL);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		flood(socket);
	}
	hundred_a_second(socket, n_calls);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- a deep queue -------------------------------------------------------------------------------
 */

/* The workers are busy for so long. */
static void block(struct crowd *c, uint64_t us)
{
	uint8_t encoded[9] = {0xcf};
	poold_options o = {.size = sizeof(o), .auto_release = 1};

	for (int i = 0; i < 8; i++)
		encoded[8 - i] = (uint8_t)(us >> 8 * i);
	for (int i = 0; i < N_WORKERS; i++) {
		poold_future *f;

		check(poold_submit(c->handle, "bench/sleep",
			      poold_input_encoded(encoded, sizeof(encoded)), &o, &f),
			"submit", c->handle);
		check(poold_future_set_callback(f, on_settled, c), "callback", c->handle);
		poold_future_unref(f);
		c->n_sent++;
	}
	check(poold_ping(c->handle, POOLD_FOREVER), "ping", c->handle);
}

/* Of the i-th job. Mixed: sixteen priorities; every other one has a deadline that it keeps; every fourth
 * is delayed, each to another time, and due before the workers are free. */
static poold_options options_of(bool is_mixed, unsigned i, uint64_t block_us)
{
	poold_options o = {.size = sizeof(o), .auto_release = 1};
	uint32_t random = i * 2654435761u;

	if (!is_mixed)
		return o;
	o.priority = (int32_t)(random >> 28) - 8;
	if (random & 1 << 8)
		o.deadline_us = LONG_US + (random >> 9);
	if ((random >> 10 & 3) == 0)
		o.delay_us = 1 + (random >> 12) % (block_us / 2);
	return o;
}

/* One round: nanoseconds of submitting n jobs, and of running them. 0: the workers were free again
 * before all were queued. */
static uint64_t fill_and_run(
	poold *p, const char *function, unsigned n, bool is_mixed, uint64_t block_us)
{
	struct crowd c = {.handle = p};
	bool is_late;
	uint64_t from_ns, ns;

	block(&c, block_us);
	from_ns = sample_now_ns();
	for (unsigned i = 0; i < n; i++) {
		poold_options o = options_of(is_mixed, i, block_us);

		while (!send_with(&c, function, &o))
			pump(&c, POOLD_FOREVER);
	}
	check(poold_ping(p, POOLD_FOREVER), "ping", p); /* all were taken */
	ns = sample_now_ns() - from_ns;
	is_late = c.n_settled > 0;
	while (c.n_settled < N_WORKERS)
		pump(&c, POOLD_FOREVER);
	from_ns = sample_now_ns();
	while (c.n_settled < c.n_sent)
		pump(&c, POOLD_FOREVER);
	if (c.n_done != c.n_sent)
		fail("one was refused, or did not end well", p);
	return is_late ? 0 : ns + sample_now_ns() - from_ns;
}

static void queued(
	const char *socket, const char *function, unsigned n, unsigned rounds, bool is_mixed)
{
	uint64_t block_us = 20000 + n * 3ull, ns = 0, round_ns;
	poold *p;

	check(poold_open(&p, socket), "open", NULL);
	fill_and_run(p, function, n < 1000 ? n : 1000, is_mixed, block_us);
	for (unsigned i = 0; i < rounds; ns += round_ns) {
		round_ns = fill_and_run(p, function, n, is_mixed, block_us);
		if (round_ns == 0)
			block_us *= 2;
		else
			i++;
	}
	printf("{\"job_us\": %.3f}\n", (double)ns / 1e3 / n / rounds);
	poold_unref(p);
}

static unsigned number(const char *s)
{
	return (unsigned)strtoul(s, NULL, 10);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "";

	if (argc == 4 && strcmp(mode, "alone") == 0)
		hundred_a_second(argv[1], number(argv[3]));
	else if (argc == 4 && strcmp(mode, "flooded") == 0)
		flooded(argv[1], number(argv[3]));
	else if (argc == 6 && strcmp(mode, "queued") == 0)
		queued(argv[1], argv[3], number(argv[4]), number(argv[5]), false);
	else if (argc == 6 && strcmp(mode, "mixed") == 0)
		queued(argv[1], argv[3], number(argv[4]), number(argv[5]), true);
	else {
		fputs("usage: crowd SOCKET alone|flooded CALLS | queued|mixed FUNCTION N "
		      "ROUNDS\n",
			stderr);
		return 2;
	}
	return 0;
}
