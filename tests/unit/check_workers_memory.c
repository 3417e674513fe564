/* Memory runs out here and there while workers come, work and go: every job still ends, once, and
 * nothing is left. */
#include <signal.h>

#include "tests/lib/check_run.h"
#include "tests/lib/fault.h"
#include "tests/lib/workbench.h"

#define WORKER	"daemon/worker/poold-worker"
#define ONE_IN	3
#define N_KILLS 10

static struct workbench b;

static bool is_as_allowed(const struct future *f)
{
	return f->state == FUTURE_DONE || f->state == FUTURE_LOST ||
	       (f->state == FUTURE_FAILED && f->failure == FAILURE_QUOTA);
}

START_TEST(test_every_job_ends_without_memory)
{
	struct future *jobs[100];
	unsigned n_kills = 0;
	bool has_failed;
	struct pool *p;

	workbench_init(&b, WORKER);
	workbench_add_module(&b, "bench", 2);
	workbench_start(&b);
	p = workbench_pool(&b, "bench");
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = workbench_number(&b, "bench/spin", 300);
	fault_alloc_rate(ONE_IN, (unsigned long long)_i + 1);
	for (unsigned n = 0; core_unfinished(&b.core) > 0; n++) {
		const struct slot *s = p->slots[n % 2];

		workbench_turn(&b);
		if (n % 3 == 0 && n_kills < N_KILLS && s->state == SLOT_BUSY) {
			kill(workers_pid(s), SIGKILL);
			n_kills++;
		}
	}
	has_failed = fault_end();
	ck_assert(has_failed);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		ck_assert(is_as_allowed(jobs[i]));
	workbench_stop(&b);
}
END_TEST

/* The n-th allocation of a whole start fails: it is refused at once, or all goes well in the end.
 */
START_TEST(test_start_without_memory)
{
	struct future *f;
	bool has_failed;
	struct pool *p;

	workbench_init(&b, WORKER);
	workbench_add_module(&b, "bench", 1);
	workbench_prepare(&b);
	fault_alloc_at((unsigned)_i + 1);
	if (workers_new(b.base, &b.config, &b.core, &b.workers) != 0) {
		has_failed = fault_end();
		ck_assert(has_failed);
		ck_assert_int_eq(workers_new(b.base, &b.config, &b.core, &b.workers), 0);
	}
	p = TAILQ_FIRST(&b.core.pools);
	while (!workers_are_settled(b.workers) || !p->n_by_state[SLOT_IDLE])
		workbench_turn(&b);
	fault_end();
	f = workbench_number(&b, "bench/noop", 1);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	workbench_stop(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workers_memory");
	TCase *tcase = tcase_create("workers_memory");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_every_job_ends_without_memory, 0, 8);
	tcase_add_loop_test(tcase, test_start_without_memory, 0, 40);
	suite_add_tcase(suite, tcase);
	return check_run(suite);
}
