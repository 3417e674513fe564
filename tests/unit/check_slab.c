#include "daemon/core/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
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
	ck_assert_uint_eq(s.n_empty, 0);
}
END_TEST

/* With sanitizers there are no blocks to be seen. */
START_TEST(a_bounded_number_of_blocks_is_kept)
{
	struct slab s = SLAB_INIT(BYTES);
	unsigned n = (SLAB_KEEP + 3) * s.n_block;
	void **pieces = calloc(n, sizeof(*pieces));

	ck_assert_ptr_nonnull(pieces);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < n; i++) {
			pieces[i] = slab_take(&s);
			ck_assert(is_zero(pieces[i]));
			memset(pieces[i], 0xff, BYTES);
		}
		ck_assert_uint_eq(s.n_empty, 0);
		for (unsigned i = 0; i < n; i++)
			slab_give(&s, pieces[i]);
		ck_assert_uint_le(s.n_empty, SLAB_KEEP);
	}
	slab_deinit(&s);
	ck_assert_uint_eq(s.n_empty, 0);
	free(pieces);
}
END_TEST

static int by_address(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

START_TEST(pieces_do_not_overlap)
{
	static void *pieces[3 * SLAB_BLOCK_BYTES / BYTES];
	struct slab s = SLAB_INIT(BYTES);
	unsigned n = sizeof(pieces) / sizeof(*pieces);

	for (unsigned i = 0; i < n; i++)
		pieces[i] = slab_take(&s);
	/* Every third comes from among those that were given back. */
	for (unsigned i = 0; i < n; i += 3)
		slab_give(&s, pieces[i]);
	for (unsigned i = 0; i < n; i += 3)
		pieces[i] = slab_take(&s);
	qsort(pieces, n, sizeof(*pieces), by_address);
	for (unsigned i = 1; i < n; i++)
		ck_assert_int_ge((char *)pieces[i] - (char *)pieces[i - 1], BYTES);
	for (unsigned i = 0; i < n; i++)
		slab_give(&s, pieces[i]);
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

SUITE_MAIN("slab", a_piece_is_zeroed_each_time, a_bounded_number_of_blocks_is_kept,
	pieces_do_not_overlap, without_memory_there_is_none)
