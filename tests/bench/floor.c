/* What this machine can do at all, for poold to be measured beside: nothing is kept, checked or
 * supervised.
 *
 *	floor hops N THERE BACK		four blocking hops through three processes, of 64 bytes and so many more on the
 *					way there and back: p50 and p99 in µs
 *	floor calls N CLIENTS		the same through a loop between so many clients and two workers: p50 and p99 in
 *					µs, calls per second of all
 *	floor broker N PACK		a loop that forwards N 64-byte no-op requests from one client to two workers, PACK
 *					of them a packet, at most 64 on their way to each worker: per second
 *	floor forks N			fork, exit and wait: p50 and p99 in µs
 *	floor spawn N PROGRAM		two processes that posix_spawn() and wait, N in all: per second
 */
#include "tests/bench/floor.h"

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "tests/bench/sample.h"

#define ROOM (1u << 20) /* of a message, beside the 64 bytes */

void floor_die(const char *what)
{
	perror(what);
	_exit(1);
}

void floor_pair(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		floor_die("socketpair");
}

pid_t floor_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		floor_die("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void floor_stop(const pid_t *pids, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

/* ---- hops ---- */

static char message[FLOOR_BYTES + ROOM];

/* False: end of file. */
static bool get(int fd, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = read(fd, message + at, n - at);

		if (r <= 0)
			return false;
		at += (size_t)r;
	}
	return true;
}

static void put(int fd, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = write(fd, message + at, n - at);

		if (r <= 0)
			floor_die("write");
		at += (size_t)r;
	}
}

static void hop(int in, size_t n_in, int out, size_t n_out)
{
	if (!get(in, n_in))
		_exit(0);
	put(out, n_out);
}

static void hops(unsigned n, size_t there, size_t back)
{
	struct sample s = sample_new(n);
	int client[2], worker[2];

	floor_pair(SOCK_STREAM, client);
	floor_pair(SOCK_STREAM, worker);
	if (floor_child() == 0) {
		close(client[0]);
		close(client[1]);
		close(worker[0]);
		for (;;)
			hop(worker[1], there, worker[1], back);
	}
	if (floor_child() == 0) {
		close(client[0]);
		close(worker[1]);
		for (;;) {
			hop(client[1], there, worker[0], there);
			hop(worker[0], back, client[1], back);
		}
	}
	close(client[1]);
	close(worker[0]);
	close(worker[1]);
	for (unsigned i = 0; i < n; i++) {
		uint64_t from_ns = sample_now_ns();

		put(client[0], there);
		if (!get(client[0], back))
			floor_die("client");
		sample_add(&s, sample_now_ns() - from_ns);
	}
	sample_print(&s);
	close(client[0]);
}

/* ---- processes ---- */

static void forks(unsigned n)
{
	struct sample s = sample_new(n);

	for (unsigned i = 0; i < n; i++) {
		uint64_t from_ns = sample_now_ns();

		if (floor_child() == 0)
			_exit(0);
		if (wait(NULL) < 0)
			floor_die("wait");
		sample_add(&s, sample_now_ns() - from_ns);
	}
	sample_print(&s);
}

extern char **environ;

static void spawn_loop(unsigned n, char *program)
{
	char *argv[] = {program, NULL};
	pid_t pid;
	int status;

	for (unsigned i = 0; i < n; i++)
		if (posix_spawnp(&pid, program, NULL, NULL, argv, environ) != 0 ||
			waitpid(pid, &status, 0) < 0)
			_exit(1);
	_exit(0);
}

static void spawn(unsigned n, char *program)
{
	uint64_t from_us = clock_now_us();

	for (int i = 0; i < FLOOR_WORKERS; i++)
		if (floor_child() == 0)
			spawn_loop(n / FLOOR_WORKERS, program);
	while (wait(NULL) > 0)
		;
	printf("{\"per_second\": %.0f}\n", n / ((double)(clock_now_us() - from_us) / 1e6));
}

static unsigned long number(const char *s)
{
	return strtoul(s, NULL, 10);
}

/* Of a message with so many bytes beside the 64. */
static size_t size(const char *s)
{
	return FLOOR_BYTES + (number(s) < ROOM ? number(s) : ROOM);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	unsigned n = argc > 2 ? (unsigned)number(argv[2]) : 0;

	if (n && argc == 5 && strcmp(mode, "hops") == 0)
		hops(n, size(argv[3]), size(argv[4]));
	else if (n && argc == 4 && strcmp(mode, "broker") == 0)
		floor_broker(n, (unsigned)number(argv[3]));
	else if (n && argc == 4 && strcmp(mode, "calls") == 0 && number(argv[3]))
		floor_calls(n, (unsigned)number(argv[3]));
	else if (n && argc == 3 && strcmp(mode, "forks") == 0)
		forks(n);
	else if (n && argc == 4 && strcmp(mode, "spawn") == 0)
		spawn(n, argv[3]);
	else {
		fputs("usage: floor hops N THERE BACK | calls N CLIENTS | broker N PACK | forks N "
		      "|\n"
		      "       spawn N PROGRAM\n",
			stderr);
		return 2;
	}
	fflush(stdout);
	while (wait(NULL) > 0)
		;
	return 0;
}
