#include "daemon/core/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tests/lib/fault.h"
#include "tests/unit/suite.h"

enum {
	BYTES = 40,
};

static bool is_zero(const uint8_t *piece)
{
	for (unsigned i = 0; i < BYTES; i++)
		if (piece[i])
			return false;
	return true;
}

START_TEST(a_piece_is_zeroed_each_time)
{
	struct slab s = SLAB_INIT(BYTES);

	for (unsigned round = 0; round < 3; round++) {
		void *a = slab_take(&s), *b = slab_take(&s);

		ck_assert(a && b && a != b);
		ck_assert(is_zero(a) && is_zero(b));
		memset(a, 0xff, BYTES);
		memset(b, 0xff, BYTES);
		slab_give(&s, a);
		slab_give(&s, b);
		slab_give(&s, NULL);
	}
	slab_deinit(&s);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(no_more_are_kept_than_it_may_keep)
{
	static void *pieces[SLAB_KEEP + 10];
	struct slab s = SLAB_INIT(BYTES);

	for (unsigned i = 0; i < SLAB_KEEP + 10; i++)
		pieces[i] = slab_take(&s);
	for (unsigned i = 0; i < SLAB_KEEP + 10; i++)
		slab_give(&s, pieces[i]);
	ck_assert_uint_le(s.n, SLAB_KEEP);
	slab_deinit(&s);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
	struct slab s = SLAB_INIT(BYTES);
	void *piece;

	fault_alloc_at(1);
	piece = slab_take(&s);
	ck_assert(fault_end());
	ck_assert_ptr_null(piece);
	piece = slab_take(&s);
	ck_assert_ptr_nonnull(piece);
	slab_give(&s, piece);
	slab_deinit(&s);
}
END_TEST

SUITE_MAIN("slab", a_piece_is_zeroed_each_time, no_more_are_kept_than_it_may_keep,
	without_memory_there_is_none)
