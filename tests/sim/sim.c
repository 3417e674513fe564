/* The seeded simulator: many worlds, each made of one number.
 *
 *	sim [--seeds A-B] [--steps N] [--list FILE] [--verbose]
 *
 * Without --seeds it runs the seeds of the list first (those that once showed something), then
 * 1-1000. At the first promise that is broken it says which, by what seed at which step, and exits
 * with 1.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

static struct world world;
static bool is_verbose;
static uint64_t n_steps_total;

/* Of a sanitizer, if one is linked. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say_where(void)
{
	fprintf(stderr, "seed %" PRIu64 ", step %u: this is where it died\n", world.seed,
		world.step);
}

static void on_abort(int signal_number)
{
	say_where();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void add(uint64_t *to, const uint64_t *from)
{
	for (size_t i = 0; i < sizeof(world.sum) / sizeof(*to); i++)
		to[i] += from[i];
}

static __typeof__(world.sum) sum;

static void run(uint64_t seed, unsigned n_steps)
{
	world_init(&world, seed, is_verbose);
	for (world.step = 1; world.step <= n_steps; world.step++) {
		if (world_below(&world, 2))
			clients_move(&world);
		else
			workers_move(&world);
		check_always(&world);
	}
	world_end(&world);
	add((uint64_t *)&sum, (const uint64_t *)&world.sum);
	n_steps_total += world.step;
}

static int run_list(const char *path, unsigned n_steps)
{
	FILE *list = fopen(path, "re");
	char line[512];
	unsigned n = 0;

	if (!list) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof(line), list)) {
		char *end;
		uint64_t seed = strtoull(line, &end, 10);

		if (end == line)
			continue;
		run(seed, n_steps);
		n++;
	}
	fclose(list);
	printf("%u seeds of the list\n", n);
	return 0;
}

static bool parse_range(const char *s, uint64_t *ret_first, uint64_t *ret_last)
{
	char *end;

	*ret_first = strtoull(s, &end, 10);
	*ret_last = *ret_first;
	if (*end == '-')
		*ret_last = strtoull(end + 1, &end, 10);
	return end != s && *end == '\0' && *ret_first <= *ret_last;
}

static void report(uint64_t n_seeds)
{
	printf("%" PRIu64 " seeds, %" PRIu64 " steps: %" PRIu64 " jobs, %" PRIu64 " refused\n",
		n_seeds, n_steps_total, sum.submits, sum.refused);
	printf("ends: %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " cancelled, %" PRIu64
	       " timeout, %" PRIu64 " lost, %" PRIu64 " aborted\n",
		sum.done, sum.failed, sum.cancelled, sum.timeouts, sum.lost, sum.aborted);
	printf("%" PRIu64 " runs after another one, %" PRIu64 " poison\n", sum.retries,
		sum.poisoned);
	printf("%" PRIu64 " packets of several, %" PRIu64 " handed over, %" PRIu64
	       " taken back, %" PRIu64 " bells, %" PRIu64 " kills, %" PRIu64
	       " breaches of the protocol\n",
		sum.packs, sum.hand_overs, sum.taken_back, sum.rings, sum.kills, sum.violations);
	printf("%" PRIu64 " waited for room, %" PRIu64 " of them were let in\n", sum.waited,
		sum.let_in);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seeds", required_argument, NULL, 's'},
		{"steps", required_argument, NULL, 'n'}, {"list", required_argument, NULL, 'l'},
		{"verbose", no_argument, NULL, 'v'}, {0}};
	const char *srcdir = getenv("POOLD_TEST_SRCDIR");
	char path[4096];
	const char *list = NULL;
	uint64_t first = 1, last = 1000;
	unsigned n_steps = 1000;
	bool is_range = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 's': is_range = parse_range(optarg, &first, &last); break;
		case 'n': n_steps = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'l': list = optarg; break;
		case 'v': is_verbose = true; break;
		default: return 2;
		}
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_where);
	if (!list && !is_range && srcdir) {
		snprintf(path, sizeof(path), "%s/tests/sim/seeds", srcdir);
		list = path;
	}
	if (list && run_list(list, n_steps) < 0)
		return 2;
	for (uint64_t seed = first; seed <= last; seed++)
		run(seed, n_steps);
	report(last - first + 1);
	return 0;
}
