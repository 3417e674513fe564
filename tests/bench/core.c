/* What a job costs in the core alone, from its submit to when it is forgotten, when n of them are
 * queued: nanoseconds of processor time.
 *
 *	core equal|mixed N ROUNDS
 *
 * No socket, no worker, no client: what grows with N here is the order of the queue and the misses
 * of the caches, and run under a cache simulator (valgrind --tool=cachegrind) it tells them apart.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/fake_shell.h"

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void submit_one(struct fake *fake, struct pool *p, struct account *a, int32_t priority)
{
	struct submission s = {.account = a,
		.pool = p,
		.function = p->functions,
		.priority = priority,
		.ttl_us = 3600000000};
	struct refusal no;
	struct future *f;

	if (core_submit(&fake->core, &s, fake->now_us, &f, &no) != 0)
		abort();
	core_release(&fake->core, f); /* it goes at its end */
}

static void run_all(struct fake *fake, struct pool *p)
{
	struct fake_answer done = {0};

	while (core_unfinished(&fake->core)) {
		fake->now_us++;
		fake_turn(fake);
		for (unsigned i = 0; i < p->config.n_workers; i++) {
			struct fake_worker *w = fake_worker(p, i);

			while (fake_receive(w))
				fake_answer(w, done);
			fake_read(w);
		}
	}
}

int main(int argc, char **argv)
{
	struct account_limits limits;
	struct pool_config config = {
		.name = "default", .n_workers = 2, .ahead_max = 4, .ageing_us = 60000000};
	bool is_mixed = argc > 1 && strcmp(argv[1], "mixed") == 0;
	unsigned n, rounds;
	struct fake fake;
	struct account *a;
	struct pool *p;
	uint64_t from_ns;

	if (argc != 4) {
		fputs("usage: core equal|mixed N ROUNDS\n", stderr);
		return 2;
	}
	n = (unsigned)strtoul(argv[2], NULL, 10);
	rounds = (unsigned)strtoul(argv[3], NULL, 10);
	memset(&limits, 0x7f, sizeof(limits));
	fake_init(&fake, &limits, 1);
	p = fake_pool(&fake, &config);
	if (account_get(&fake.core.accounts, 0, &a) != 0)
		abort();
	fake_turn(&fake);
	fake_ready(fake_worker(p, 0));
	fake_ready(fake_worker(p, 1));
	from_ns = cpu_ns();
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < n; i++, fake.now_us++)
			submit_one(
				&fake, p, a, is_mixed ? (int32_t)(i * 2654435761u >> 28) - 8 : 0);
		run_all(&fake, p);
	}
	printf("{\"job_ns\": %.1f}\n", (double)(cpu_ns() - from_ns) / n / rounds);
	account_unref(a);
	fake_deinit(&fake);
	return 0;
}
