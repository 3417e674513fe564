/* What many jobs, and others' jobs, cost: as a program with libpoold sees it.
 *
 *	crowd SOCKET alone CALLS		no-op calls of one uid, 100 a second: p50 and p99 in µs
 *	crowd SOCKET flooded CALLS		the same while another uid submits at full speed
 *	crowd SOCKET queued FUNCTION N ROUNDS	N jobs are queued, then run: µs a job, the wait between left out
 *	crowd SOCKET mixed FUNCTION N ROUNDS	the same with mixed priorities, delays and deadlines
 *	crowd SOCKET bytes N			N no-ops are queued: bytes of the daemon's memory for each
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
#include "tests/bench/flow.h"
#include "tests/bench/resident.h"
#include "tests/bench/sample.h"

#define PERIOD_NS  10000000u
#define UNFINISHED 100000u /* of the flood */
#define N_WORKERS  2
#define LONG_US	   3600000000u

/* ---- two users ----------------------------------------------------------------------------------
 */

static poold *open_as(const char *socket, uid_t uid)
{
	poold *p;

	flow_check(seteuid(uid), NULL, "seteuid (this needs root)");
	flow_check(poold_new(&p), NULL, "a handle");
	flow_check(poold_set_server_uid(p, 0), p, "the server's uid");
	flow_check(poold_set_socket(p, socket), p, "the socket");
	flow_check(poold_connect(p), p, "connect");
	flow_check(seteuid(0), NULL, "seteuid");
	return p;
}

/* Until it is killed. */
static void flood(const char *socket)
{
	struct flow c = {.handle = open_as(socket, 61002)};

	for (;;) {
		while (c.n_sent - c.n_settled < UNFINISHED &&
			flow_send(&c, "bench/noop_serial", flow_input(), NULL))
			;
		flow_pump(&c, POOLD_FOREVER);
	}
}

static void await_tick(poold *p, uint64_t at_ns)
{
	uint64_t now_ns;

	while ((now_ns = sample_now_ns()) < at_ns) {
		flow_check(poold_wait(p, (at_ns - now_ns) / 1000), p, "wait");
		flow_check(poold_process(p), p, "process");
	}
}

static void hundred_a_second(const char *socket, unsigned n_calls)
{
	struct flow c = {.handle = open_as(socket, 61001)};
	struct sample s = sample_new(n_calls);
	uint64_t at_ns = sample_now_ns();

	for (unsigned i = 0; i < n_calls; i++) {
		uint64_t from_ns;

		at_ns += PERIOD_NS;
		await_tick(c.handle, at_ns);
		from_ns = sample_now_ns();
		if (!flow_send(&c, "bench/noop_serial", flow_input(), NULL))
			flow_check(-EAGAIN, c.handle, "submit");
		flow_await(&c, c.n_sent);
		sample_add(&s, sample_now_ns() - from_ns);
	}
	sample_print(&s);
	poold_unref(c.handle);
}

static void flooded(const char *socket, unsigned n_calls)
{
	pid_t pid = fork();

	flow_check(pid, NULL, "fork");
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
static void block(struct flow *c, uint64_t us)
{
	uint8_t encoded[9];

	for (int i = 0; i < N_WORKERS; i++)
		if (!flow_send(c, "bench/sleep", flow_number(encoded, us), NULL))
			flow_check(-EAGAIN, c->handle, "submit");
	flow_check(poold_ping(c->handle, POOLD_FOREVER), c->handle, "ping");
}

/* Of the i-th job. Mixed: sixteen priorities; every other one has a deadline that it keeps; every
 * fourth is delayed, each to another time, and due before the workers are free. */
static poold_options options_of(bool is_mixed, unsigned i, uint64_t block_us)
{
	poold_options o = {.size = sizeof(o)};
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
	struct flow c = {.handle = p};
	bool is_late;
	uint64_t from_ns, ns;

	block(&c, block_us);
	from_ns = sample_now_ns();
	for (unsigned i = 0; i < n; i++) {
		poold_options o = options_of(is_mixed, i, block_us);

		while (!flow_send(&c, function, flow_input(), &o))
			flow_pump(&c, POOLD_FOREVER);
	}
	flow_check(poold_ping(p, POOLD_FOREVER), p, "ping"); /* all were taken */
	ns = sample_now_ns() - from_ns;
	is_late = c.n_settled > 0;
	flow_await(&c, N_WORKERS);
	from_ns = sample_now_ns();
	flow_await(&c, c.n_sent);
	return is_late ? 0 : ns + sample_now_ns() - from_ns;
}

static void queued(
	const char *socket, const char *function, unsigned n, unsigned rounds, bool is_mixed)
{
	uint64_t block_us = 20000 + n * 3ull, ns = 0, round_ns;
	poold *p;

	flow_check(poold_open(&p, socket), NULL, "open");
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

/* ---- memory -------------------------------------------------------------------------------------
 */

/* By a daemon that has not had that many before. */
static void bytes(const char *socket, unsigned n)
{
	struct flow c = {0};
	uint64_t before;

	flow_check(poold_open(&c.handle, socket), NULL, "open");
	block(&c, LONG_US);
	before = resident_bytes(socket);
	while (c.n_sent < N_WORKERS + n)
		if (!flow_send(&c, "bench/noop_serial", flow_input(), NULL))
			flow_pump(&c, POOLD_FOREVER);
	flow_check(poold_ping(c.handle, POOLD_FOREVER), c.handle, "ping");
	if (c.n_settled)
		flow_check(-EINVAL, c.handle, "not all are queued");
	printf("{\"bytes\": %.1f}\n", (double)(resident_bytes(socket) - before) / n);
	poold_unref(c.handle);
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
	else if (argc == 4 && strcmp(mode, "bytes") == 0)
		bytes(argv[1], number(argv[3]));
	else {
		fputs("usage: crowd SOCKET alone|flooded CALLS | queued|mixed FUNCTION N ROUNDS | "
		      "bytes N\n",
			stderr);
		return 2;
	}
	return 0;
}
