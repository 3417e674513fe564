#include "tests/bench/callers.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/sample.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Says that it is open, and begins when all are: at the end of `start`. */
static void caller(
	const struct callers *c, unsigned i, uint64_t *ns, unsigned n, int ready, int start)
{
	void *opened = c->open(i, c->userdata);
	char byte = 0;

	if (write(ready, &byte, 1) != 1 || read(start, &byte, 1) != 0)
		_exit(1);
	for (unsigned k = 0; k < n; k++) {
		uint64_t from_ns = sample_now_ns();

		c->call(opened);
		ns[k] = sample_now_ns() - from_ns;
	}
	_exit(0);
}

static void await_ready(int ready, unsigned n)
{
	char byte;

	for (unsigned i = 0; i < n; i++)
		if (read(ready, &byte, 1) != 1)
			die("a caller");
}

void callers_run(const struct callers *c, unsigned n_callers, unsigned n)
{
	unsigned each = n / n_callers ? n / n_callers : 1;
	size_t bytes = sizeof(uint64_t) * each * n_callers;
	uint64_t *ns, from_ns, took_ns;
	struct sample s = sample_new(each * n_callers);
	int ready[2], start[2], status;

	ns = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ns == MAP_FAILED || pipe(ready) < 0 || pipe(start) < 0)
		die("callers");
	for (unsigned i = 0; i < n_callers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		close(start[1]);
		caller(c, i, ns + (size_t)i * each, each, ready[1], start[0]);
	}
	close(ready[1]);
	close(start[0]);
	await_ready(ready[0], n_callers);
	from_ns = sample_now_ns();
	close(start[1]);
	for (unsigned i = 0; i < n_callers; i++)
		if (wait(&status) < 0 || status != 0)
			die("a caller failed");
	took_ns = sample_now_ns() - from_ns;
	close(ready[0]);
	/* In the order of time, as the first tenth is left out: call k of all, then call k + 1. */
	for (unsigned k = 0; k < each; k++)
		for (unsigned i = 0; i < n_callers; i++)
			sample_add(&s, ns[(size_t)i * each + k]);
	munmap(ns, bytes);
	sample_print_with(&s, "per_second", (double)each * n_callers / ((double)took_ns / 1e9));
}
