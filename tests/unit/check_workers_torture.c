/* Workers and zygotes that die at random, jobs that are cancelled at random. */
#include <signal.h>

#include "daemon/clock.h"
#include "tests/lib/check_run.h"
#include "tests/lib/workbench.h"

#define WORKER "daemon/worker/poold-worker"

static struct workbench b;

static void set_up(void)
{
	workbench_init(&b, WORKER);
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static void kill_one(struct pool *p, uint32_t which, unsigned *n_kills)
{
	const struct slot *s = p->slots[which % p->n_slots];

	if (workers_pid(s) && (s->state == SLOT_BUSY || s->state == SLOT_IDLE)) {
		kill(workers_pid(s), SIGKILL);
		++*n_kills;
	}
}

START_TEST(test_random_kills_cost_at_most_one_job_each)
{
	struct future *jobs[200];
	unsigned n_kills = 0, n_lost = 0;
	uint64_t seed = (uint64_t)_i + 1;
	struct pool *p;

	workbench_add_module(&b, "bench", 3);
	workbench_start(&b);
	p = workbench_pool(&b, "bench");
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = workbench_number(&b, "bench/spin", next_random(&seed) % 1000);
	while (core_unfinished(&b.core) > 0) {
		workbench_turn(&b);
		if (next_random(&seed) % 4 == 0)
			kill_one(p, next_random(&seed), &n_kills);
	}
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		ck_assert(jobs[i]->state == FUTURE_DONE || jobs[i]->state == FUTURE_LOST);
		n_lost += jobs[i]->state == FUTURE_LOST;
	}
	ck_assert_uint_le(n_lost, n_kills);
	ck_assert_uint_gt(n_kills, 0);
	workbench_stop(&b);
}
END_TEST

/* Also in the middle of a fork that nobody hears of any more. */
START_TEST(test_random_kills_of_zygotes_cost_no_job)
{
	struct future *jobs[100];
	unsigned n_kills = 0, n_lost = 0;
	uint64_t seed = (uint64_t)_i + 7;
	struct pool *p;

	workbench_add_module(&b, "bench", 4);
	workbench_start(&b);
	p = workbench_pool(&b, "bench");
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = workbench_number(&b, "bench/spin", next_random(&seed) % 5000);
	for (unsigned n_zygotes = 0; core_unfinished(&b.core) > 0;) {
		workbench_turn(&b);
		if (next_random(&seed) % 4 == 0)
			kill_one(p, next_random(&seed), &n_kills);
		if (n_zygotes < 3 && p->state == POOL_READY && p->n_by_state[SLOT_STARTING]) {
			n_zygotes++;
			kill(workbench_zygote(p), SIGKILL);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		ck_assert(jobs[i]->state == FUTURE_DONE || jobs[i]->state == FUTURE_LOST);
		n_lost += jobs[i]->state == FUTURE_LOST;
	}
	ck_assert_uint_le(n_lost, n_kills);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_random_cancels_end_just_those_jobs)
{
	struct future *jobs[200];
	bool is_cancelled[ARRAY_SIZE(jobs)] = {};
	uint64_t seed = 1;

	workbench_add_module(&b, "bench", 2);
	workbench_start(&b);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = workbench_number(&b, "bench/spin", next_random(&seed) % 1000);
	while (core_unfinished(&b.core) > 0) {
		uint32_t which = next_random(&seed) % ARRAY_SIZE(jobs);

		workbench_turn(&b);
		if (next_random(&seed) % 3 > 0)
			continue;
		is_cancelled[which] = true;
		core_cancel(&b.core, jobs[which], CANCEL_TERM, 1000, clock_now_us());
	}
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		ck_assert(jobs[i]->state == FUTURE_DONE ||
			  (jobs[i]->state == FUTURE_CANCELLED && is_cancelled[i]));
	ck_assert_uint_eq(workbench_pool(&b, "bench")->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workers_torture");
	TCase *tcase = tcase_create("workers_torture");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_random_kills_cost_at_most_one_job_each, 0, 3);
	tcase_add_loop_test(tcase, test_random_kills_of_zygotes_cost_no_job, 0, 3);
	tcase_add_test(tcase, test_random_cancels_end_just_those_jobs);
	suite_add_tcase(suite, tcase);
	return check_run(suite);
}
