#include "tests/unit/core_fixture.h"

struct fake fake;
struct core *core;
struct pool *pool;
struct account *account[2];
struct fake_worker *worker[2];

void core_setup(void)
{
	const struct account_limits limits = {
		.uid = {.n = {[ACCOUNT_BYTES] = 1000,
				[ACCOUNT_JOBS] = 10,
				[ACCOUNT_FUTURES] = 20,
				[ACCOUNT_FDS] = 50}},
		.all = {.n = {[ACCOUNT_BYTES] = 1500,
				[ACCOUNT_JOBS] = 20,
				[ACCOUNT_FUTURES] = 40,
				[ACCOUNT_FDS] = 100}},
	};
	const struct pool_config config = {.name = "default",
		.n_workers = 2,
		.ahead_max = 2,
		.max_result_bytes = 100,
		.max_result_fds = 1,
		.grace_us = 2000,
		.poison = 3};

	fake_init(&fake, &limits, 1);
	core = &fake.core;
	for (uint32_t uid = 0; uid < 2; uid++)
		ck_assert_int_eq(account_get(&core->accounts, uid, &account[uid]), 0);
	pool = fake_pool(&fake, &config);
	for (unsigned i = 0; i < 2; i++)
		worker[i] = fake_worker(pool, i);
}

void core_teardown(void)
{
	for (uint32_t uid = 0; uid < 2; uid++)
		account_unref(account[uid]);
	fake_deinit(&fake);
	ck_assert_uint_eq(fake.n_payloads, 0);
	ck_assert_uint_eq(fake.n_extras, 0);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
		ck_assert_uint_eq(core->accounts.used.n[k], 0);
		ck_assert_uint_eq(core->accounts.by_jobs.n[k], 0);
	}
}

void core_start_workers(void)
{
	fake_turn(&fake);
	ck_assert(fake_ready(worker[0]));
	ck_assert(fake_ready(worker[1]));
}

struct future *submit_with(uint32_t uid, struct submission s)
{
	struct future *f;

	s.account = account[uid];
	s.pool = s.pool ? s.pool : pool;
	s.function = s.function ? s.function : s.pool->functions;
	s.ttl_us = s.ttl_us ? s.ttl_us : 3600 * 1000000ull;
	s.input = fake_payload(&fake, s.input_bytes, s.input_fds);
	ck_assert_int_eq(core_submit(core, &s, fake.now_us, &f, NULL), 0);
	return f;
}

struct future *submit(uint32_t uid)
{
	return submit_with(uid, (struct submission){0});
}

struct future *put(uint64_t bytes)
{
	struct submission s = {.account = account[0],
		.input = fake_payload(&fake, bytes, 1),
		.input_bytes = bytes,
		.input_fds = 1,
		.ttl_us = 5000};
	struct future *f;

	ck_assert_int_eq(core_put(core, &s, fake.now_us, &f, NULL), 0);
	return f;
}

enum cancel_outcome cancel(struct future *f, enum cancel_mode mode)
{
	return core_cancel(core, f, mode, 42, fake.now_us);
}

struct future *submit_running(struct fake_worker **ret_worker)
{
	struct future *f = submit(0);

	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	*ret_worker = worker_of(f);
	ck_assert(fake_receive(*ret_worker));
	return f;
}

struct future *start_running(struct fake_worker **ret_worker)
{
	core_start_workers();
	return submit_running(ret_worker);
}

struct fake_worker *start_two(struct future **ret_first, struct future **ret_second)
{
	struct fake_worker *w;

	core_start_workers();
	submit(0);
	submit(0);
	*ret_second = submit(0);
	fake_turn(&fake);
	w = worker_of(*ret_second);
	*ret_first = slot_first(w->slot);
	return w;
}

struct fake_worker *worker_of(const struct future *f)
{
	ck_assert_ptr_nonnull(f->run->slot);
	return f->run->slot->shell;
}

void finish(struct fake_worker *w, uint64_t bytes)
{
	ck_assert(fake_answer(w, (struct fake_answer){.value_bytes = bytes}));
	ck_assert(fake_read(w));
}

void bury(struct fake_worker *w)
{
	fake_die(w);
	fake_reap(w);
}

void learn(struct function *fn, uint64_t run_ns)
{
	fn->is_stale = false;
	fn->mean_run_ns = run_ns;
	fn->soon_ns = run_ns < POOL_SOON_US * 1000 ? run_ns : POOL_SOON_US * 1000;
}

void pass(uint64_t us)
{
	fake.now_us += us;
	fake_turn(&fake);
}

uint64_t used(uint32_t uid, enum account_kind kind)
{
	return account_used(account[uid])->n[kind];
}
