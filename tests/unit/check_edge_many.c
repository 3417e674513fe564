/* A long chain, and a future with many dependents: no recursion, and a bounded share a turn. */
#include <stdlib.h>
#include <sys/resource.h>

#include "daemon/core/edge.h"
#include "tests/unit/core_fixture.h"

#define N 100000u

static struct fake many;
static struct account *owner;
static struct pool *many_pool;
static struct future **all;

static void setup(void)
{
	const struct pool_config config = {.name = "p", .n_workers = 1, .grace_us = 1};
	struct account_limits limits;

	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		limits.uid.n[k] = limits.all.n[k] = UINT64_MAX / 2;
	fake_init(&many, &limits, 1);
	ck_assert_int_eq(account_get(&many.core.accounts, 0, &owner), 0);
	many_pool = fake_pool(&many, &config);
	all = calloc(N, sizeof(struct future *));
}

static void teardown(void)
{
	account_unref(owner);
	fake_deinit(&many);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		ck_assert_uint_eq(many.core.accounts.used.n[k], 0);
	free(all);
}

static struct future *submit_one(struct future *on, bool is_any)
{
	struct after after = {.on = on, .is_any = is_any};
	struct submission s = {.account = owner,
		.pool = many_pool,
		.function = many_pool->functions,
		.ttl_us = UINT64_MAX,
		.wishes = {.after = &after, .n_after = on != NULL}};
	struct future *f;

	ck_assert_int_eq(core_submit(&many.core, &s, many.now_us, &f, NULL), 0);
	return f;
}

/* How many turns it takes until nothing is left to settle; none goes through too many futures. */
static unsigned turns(uint64_t most_a_turn)
{
	unsigned n = 0;

	while (!TAILQ_EMPTY(&many.core.settling) || n == 0) {
		uint64_t before = many.core.final_seq, next_us = fake_turn(&many);

		ck_assert_uint_le(many.core.final_seq - before, most_a_turn);
		ck_assert(TAILQ_EMPTY(&many.core.settling) || next_us <= many.now_us);
		n++;
	}
	return n;
}

START_TEST(a_chain_of_100_000_falls)
{
	/* Less stack than a frame per job would take. */
	struct rlimit stack = {256 * 1024, 256 * 1024};

	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &stack), 0);
	for (unsigned i = 0; i < N; i++)
		all[i] = submit_one(i ? all[i - 1] : NULL, false);
	core_cancel(&many.core, all[0], CANCEL_TERM, 0, many.now_us);
	ck_assert_uint_ge(turns(2000), N / 2000);
	for (unsigned i = 1; i < N; i++) {
		ck_assert(all[i]->state == FUTURE_ABORTED);
		ck_assert(edges_root(all[i]) == all[0]->id);
	}
	ck_assert_uint_eq(core_unfinished(&many.core), 0);
}
END_TEST

START_TEST(a_hundred_thousand_dependents_of_one)
{
	struct future *first = submit_one(NULL, false);

	for (unsigned i = 0; i < N; i++)
		all[i] = submit_one(first, i % 2);
	core_cancel(&many.core, first, CANCEL_TERM, 0, many.now_us);
	ck_assert_uint_ge(turns(2000), N / 2000);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(all[i]->state, i % 2 ? FUTURE_QUEUED : FUTURE_ABORTED);
	ck_assert_uint_eq(core_unfinished(&many.core), N / 2);
}
END_TEST

SUITE_MAIN_WITH("edge_many", setup, teardown, a_chain_of_100_000_falls,
	a_hundred_thousand_dependents_of_one)
