#include "daemon/core/roll.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/lib/fault.h"
#include "tests/unit/suite.h"

#define IDS 400000u

static struct roll roll;
static bool *is_used;
static uint64_t next_id, n_used;

static void setup(void)
{
	is_used = calloc(IDS, sizeof(*is_used));
	next_id = 1;
}

static void teardown(void)
{
	roll_deinit(&roll);
	free(is_used);
}

static void add(uint64_t id)
{
	ck_assert_int_eq(roll_reserve(&roll), 0);
	roll_add(&roll, id);
	is_used[id] = true;
	next_id = id + 1;
	n_used++;
}

static void drop(uint64_t id)
{
	roll_remove(&roll, id);
	is_used[id] = false;
	n_used--;
}

/* One after the other, from both ends. */
static void expect_all(void)
{
	uint64_t id = 0, last = 0;

	for (uint64_t i = 1; i < next_id; i++) {
		if (!is_used[i])
			continue;
		id = roll_newer(&roll, id);
		ck_assert_uint_eq(id, i);
	}
	ck_assert_uint_eq(roll_newer(&roll, id), 0);
	ck_assert_uint_eq(roll_newer(&roll, UINT64_MAX), 0);
	last = id;
	id = UINT64_MAX;
	for (uint64_t i = last; i > 0; i--) {
		if (!is_used[i])
			continue;
		id = roll_older(&roll, id);
		ck_assert_uint_eq(id, i);
	}
	ck_assert_uint_eq(roll_older(&roll, id), 0);
	ck_assert_uint_eq(roll_older(&roll, 0), 0);
}

/* From anywhere, in use or not. */
static void expect_around(uint64_t id)
{
	uint64_t older = id - 1, newer = id + 1;

	while (older > 0 && !is_used[older])
		older--;
	while (newer < next_id && !is_used[newer])
		newer++;
	ck_assert_uint_eq(roll_older(&roll, id), older);
	ck_assert_uint_eq(roll_newer(&roll, id), newer < next_id ? newer : 0);
}

/* What is not in use costs nothing, but for a part. */
static void expect_little_room(void)
{
	uint64_t n_leaves = 0;

	for (uint32_t i = 0; i < roll.n; i++)
		n_leaves += roll.leaves[i].bits != 0;
	ck_assert_uint_eq(roll.n - n_leaves, roll.n_empty);
	ck_assert_uint_le(roll.n_empty, roll.n / 4);
	ck_assert(roll.n == 0 || roll.leaves[roll.n - 1].bits);
}

START_TEST(none_at_all)
{
	expect_all();
	add(1);
	expect_all();
	drop(1);
	expect_all();
	expect_little_room();
	add(2);
	expect_all();
}
END_TEST

START_TEST(the_edges_of_leaves)
{
	for (uint64_t leaf = 64; leaf <= 64 * 8; leaf += 64 * 2) {
		add(leaf - 1);
		add(leaf);
		add(leaf + 1);
		add(leaf + 63);
	}
	expect_all();
	for (uint64_t id = 1; id < next_id + 200; id++)
		expect_around(id);
}
END_TEST

/* Some go soon, some late, some never: gaps of all sizes, at both ends and between. */
START_TEST(any_order_of_adding_and_removing)
{
	uint64_t random = 1;

	for (unsigned i = 0; i < 60000 && next_id < IDS - 2000; i++) {
		uint32_t n = suite_random(&random);
		uint64_t near = next_id - 1 - n / 16 % (next_id < 3000 ? next_id : 3000);

		if (i % 5000 == 0)
			next_id += suite_random(&random) % 2000;
		else if (n % 16 < 9)
			add(next_id + (n % 3 ? 0 : n / 16 % 40));
		else if (is_used[near])
			drop(near);
		expect_around(1 + suite_random(&random) % next_id);
		expect_little_room();
	}
	expect_all();
	for (uint64_t id = 1; id < next_id; id++)
		if (is_used[id] && suite_random(&random) % 100)
			drop(id);
	expect_all();
	expect_little_room();
}
END_TEST

/* The array shrinks with what is left, wherever that lies. */
START_TEST(room_is_given_back)
{
	for (unsigned keep = 0; keep < 3; keep++) {
		uint64_t first = next_id;

		for (uint64_t i = 0; i < 100000; i++)
			add(first + i);
		ck_assert_uint_ge(roll.size, 100000 / 64);
		for (uint64_t id = 1; id < next_id; id++)
			if (is_used[id] && (keep == 0 || id % 50000 != keep))
				drop(id);
		expect_all();
		ck_assert_uint_le(roll.size, 128);
	}
	for (uint64_t id = next_id - 1; id > 0; id--)
		if (is_used[id])
			drop(id);
	ck_assert_uint_eq(roll.n, 0);
	ck_assert_uint_eq(n_used, 0);
}
END_TEST

START_TEST(without_memory_nothing_is_lost)
{
	int r = 0;
	bool has_failed;

	fault_alloc_at(1);
	r = roll_reserve(&roll);
	has_failed = fault_end();
	ck_assert(has_failed);
	ck_assert_int_eq(r, -ENOMEM);
	for (uint64_t id = 1; id < 64 * 64; id += 64)
		add(id);
	ck_assert_uint_eq(roll.n, roll.size);
	fault_alloc_at(1);
	r = roll_reserve(&roll);
	has_failed = fault_end();
	ck_assert(has_failed);
	ck_assert_int_eq(r, -ENOMEM);
	expect_all();
	/* Nor is it when there is none to shrink. */
	for (uint64_t id = 64 * 64; id < 64 * 1000; id++)
		add(id);
	fault_alloc_at(1);
	for (uint64_t id = 1; id < 64 * 1000 - 3; id++)
		if (is_used[id])
			drop(id);
	has_failed = fault_end();
	ck_assert(has_failed);
	expect_all();
}
END_TEST

SUITE_MAIN_WITH("roll", setup, teardown, none_at_all, the_edges_of_leaves,
	any_order_of_adding_and_removing, room_is_given_back, without_memory_nothing_is_lost)
