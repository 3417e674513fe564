/* All futures, whosever they are, page by page, the youngest first: each once, while some come and
 * some go between the pages. */
#include <stdlib.h>

#include "tests/lib/fake_shell.h"
#include "tests/unit/suite.h"

#define N    6000u
#define PAGE 50u

static struct fake fake;
static struct account **accounts;
static struct future **futures; /* by ID; NULL: it went */
static uint32_t n_uids;
static uint64_t random_state;

static void setup_with(uint32_t n)
{
	struct account_limits limits;

	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		limits.uid.n[k] = limits.all.n[k] = UINT64_MAX / 2;
	fake_init(&fake, &limits, 1);
	n_uids = n;
	random_state = n;
	accounts = calloc(n, sizeof(struct account *));
	futures = calloc(2 * N, sizeof(struct future *));
	for (uint32_t uid = 0; uid < n; uid++)
		ck_assert_int_eq(account_get(&fake.core.accounts, uid, &accounts[uid]), 0);
}

static void teardown(void)
{
	for (uint32_t uid = 0; uid < n_uids; uid++)
		account_unref(accounts[uid]);
	fake_deinit(&fake);
	free(accounts);
	free(futures);
}

static uint32_t random_below(uint32_t n)
{
	return suite_random(&random_state) % n;
}

static void put_one(void)
{
	const struct submission s = {
		.account = accounts[random_below(n_uids)], .ttl_us = UINT64_MAX / 4};
	struct future *f;

	ck_assert_int_eq(core_put(&fake.core, &s, fake.now_us, &f, NULL), 0);
	ck_assert_uint_lt(f->id, 2 * N);
	futures[f->id] = f;
}

static void drop(uint64_t id)
{
	if (futures[id])
		core_release(&fake.core, futures[id]);
	futures[id] = NULL;
}

/* The next ones below `before`; the last one's ID. */
static uint64_t expect_page(uint64_t before)
{
	for (unsigned i = 0; i < PAGE; i++) {
		struct future *f = core_older(&fake.core, before);
		uint64_t id = before < 2 * N ? before : 2 * N;

		do
			id--;
		while (id > 0 && !futures[id]);
		ck_assert_ptr_eq(f, futures[id]);
		if (!f)
			return 0;
		ck_assert_uint_lt(f->id, before);
		before = f->id;
	}
	return before;
}

/* Some come, one of each few goes, all of one uid go, and so does where the page ended, or all that
 * lie around that. */
static void change(uint64_t at)
{
	uint32_t uid = random_below(n_uids);

	for (unsigned i = 0; i < 5; i++)
		put_one();
	for (unsigned i = 0; i < 40; i++)
		drop(1 + random_below(N));
	for (uint64_t id = 1; n_uids > 1 && id < 2 * N; id++)
		if (futures[id] && future_uid(futures[id]) == uid && !random_below(n_uids / 2))
			drop(id);
	drop(at);
	for (uint64_t i = 1; i < 200 && i < at && !random_below(4); i++) {
		drop(at - i);
		drop(at + i);
	}
	core_sweep(&fake.core);
}

static void go_through(uint32_t n)
{
	uint64_t at = CORE_ID_END;
	unsigned n_pages = 0;
	struct future *f;

	setup_with(n);
	for (unsigned i = 0; i < N; i++)
		put_one();
	while ((at = expect_page(at)) > 0) {
		change(at);
		n_pages++;
	}
	ck_assert_uint_ge(n_pages, N / PAGE / 8);
	/* The oldest first, and they go while somebody goes through. */
	for (uint64_t id = 1; id < 2 * N; id++)
		if (futures[id] && id % 3 == 0)
			drop(id);
	core_sweep(&fake.core);
	at = 0;
	CORE_FOREACH (f, &fake.core) {
		do
			at++;
		while (!futures[at]);
		ck_assert_ptr_eq(f, futures[at]);
		drop(at);
	}
	ck_assert_uint_eq(fake.core.table.n, 0);
	ck_assert_ptr_null(core_older(&fake.core, CORE_ID_END));
	core_sweep(&fake.core);
	teardown();
}

START_TEST(of_one_uid)
{
	go_through(1);
}
END_TEST

START_TEST(of_ten_uids)
{
	go_through(10);
}
END_TEST

START_TEST(of_more_uids_than_a_page_has)
{
	go_through(3000);
}
END_TEST

SUITE_MAIN("pages", of_one_uid, of_ten_uids, of_more_uids_than_a_page_has)
