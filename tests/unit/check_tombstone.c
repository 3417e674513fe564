#include "daemon/core/tombstone.h"

#include "tests/lib/fault.h"
#include "tests/unit/suite.h"

static struct tombstones *t;

static void setup(void)
{
	t = tombstones_new();
	ck_assert_ptr_nonnull(t);
}

static void teardown(void)
{
	ck_assert_ptr_null(tombstones_free(t));
}

static bool found(uint64_t id, uint32_t uid)
{
	uint32_t got = uid + 1;

	if (!tombstones_find(t, id, &got))
		return false;
	ck_assert_uint_eq(got, uid);
	return true;
}

START_TEST(what_was_forgotten_is_remembered_with_its_owner)
{
	tombstones_add(t, 10, 1000);
	tombstones_add(t, 11, 1001);
	ck_assert(found(10, 1000));
	ck_assert(found(11, 1001));
	ck_assert(!found(12, 1000));
}
END_TEST

START_TEST(ids_of_one_bucket_are_told_apart)
{
	for (uint64_t i = 1; i < 20; i++)
		tombstones_add(t, i << 17, (uint32_t)i % 3);
	for (uint64_t i = 1; i < 20; i++)
		ck_assert(found(i << 17, (uint32_t)i % 3));
	ck_assert(!found(20 << 17, 0));
	/* The oldest of a bucket is the last of its chain. */
	for (uint64_t id = 3; id < 3 + TOMBSTONES_UID; id++)
		tombstones_add(t, id << 17 | 1, 1);
	ck_assert(!found(1 << 17, 1));
	ck_assert(found(2 << 17, 2));
}
END_TEST

START_TEST(a_uid_keeps_its_last_ten_thousand)
{
	tombstones_add(t, 5, 1);
	for (uint64_t id = 10; id < 10 + TOMBSTONES_UID + 5; id++)
		tombstones_add(t, id, 7);
	ck_assert(found(5, 1));
	ck_assert(!found(14, 7));
	ck_assert(found(15, 7));
	ck_assert(found(10 + TOMBSTONES_UID + 4, 7));
}
END_TEST

/* Ten uids fill the ring; the holes that the busiest one leaves are filled when their turn comes.
 */
START_TEST(the_ring_forgets_the_oldest_of_all)
{
	uint64_t id = 1;

	for (uint32_t uid = 0; uid < 11; uid++)
		for (unsigned i = 0; i < TOMBSTONES_UID; i++)
			tombstones_add(t, id++, uid);
	ck_assert(!found(1, 0));
	ck_assert(!found(TOMBSTONES_UID, 0));
	ck_assert(found(TOMBSTONES_UID + 1, 1));
	for (unsigned i = 0; i < 3 * TOMBSTONES_ALL; i++)
		tombstones_add(t, id++, i % 12);
	for (uint64_t back = 1; back < TOMBSTONES_ALL; back++)
		ck_assert(tombstones_find(t, id - back, &(uint32_t){0}));
	ck_assert(!tombstones_find(t, id - TOMBSTONES_ALL - 1, &(uint32_t){0}));
	ck_assert(!tombstones_find(t, TOMBSTONES_UID + 1, &(uint32_t){0}));
}
END_TEST

START_TEST(a_busy_uid_pushes_nobody_out)
{
	for (uint64_t id = 1; id <= 50; id++)
		tombstones_add(t, id, 1);
	for (uint64_t id = 100; id < 100 + TOMBSTONES_ALL - 50; id++)
		tombstones_add(t, id, 2);
	ck_assert(found(1, 1));
	/* The next ones go over uid 1's places, then over holes of uid 2. */
	for (uint64_t id = 500000; id < 500000 + 2 * TOMBSTONES_UID; id++)
		tombstones_add(t, id, 2);
	ck_assert(!found(1, 1));
	ck_assert(found(500000 + TOMBSTONES_UID, 2));
	ck_assert(!found(500000 + TOMBSTONES_UID - 1, 2));
}
END_TEST

START_TEST(without_memory_less_is_said)
{
	struct tombstones *none;
	bool is_hit;

	for (unsigned n = 1; n <= 3; n++) {
		fault_alloc_at(n);
		tombstones_add(t, n, 1);
		is_hit = fault_end();
		ck_assert_int_eq(found(n, 1), !is_hit);
	}
	for (unsigned n = 4; n <= 6; n++) {
		tombstones_add(t, n, n);
		ck_assert(found(n, n));
	}
	fault_alloc_at(1);
	none = tombstones_new();
	ck_assert(fault_end());
	ck_assert_ptr_null(none);
	ck_assert_ptr_null(tombstones_free(NULL));
}
END_TEST

SUITE_MAIN_WITH("tombstone", setup, teardown, what_was_forgotten_is_remembered_with_its_owner,
	ids_of_one_bucket_are_told_apart, a_uid_keeps_its_last_ten_thousand,
	the_ring_forgets_the_oldest_of_all, a_busy_uid_pushes_nobody_out,
	without_memory_less_is_said)
