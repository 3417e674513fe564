#include "client/table.h"

#include <stdbool.h>

#include "tests/unit/suite.h"

#define N 5000u

/* Some in, some out, at strides from one to whole runs: all that is in is found, under its key. */
START_TEST(who_is_in_is_found)
{
	static struct cl_node nodes[N];
	static bool is_in[N];
	static const uint64_t strides[] = {1, 3, 1024, 4096, 1u << 20};

	for (unsigned s = 0; s < ARRAY_SIZE(strides); s++) {
		struct cl_table t = {};
		uint64_t seed = s;
		size_t n_in = 0, n_wrong = 0;

		for (unsigned round = 0; round < 10 * N; round++) {
			unsigned i = (unsigned)(suite_random(&seed) % N);
			uint64_t key = 1 + i * strides[s];

			n_wrong += cl_table_find(&t, key) != (is_in[i] ? &nodes[i] : NULL);
			if (!is_in[i]) {
				n_wrong += cl_table_reserve(&t, 1) != 0;
				cl_table_add(&t, key, &nodes[i]);
			} else if (round % 2) {
				n_wrong += cl_table_take(&t, key) != &nodes[i];
			} else {
				cl_table_remove(&t, &nodes[i]);
			}
			is_in[i] = !is_in[i];
			n_in += is_in[i] ? 1 : -1;
			n_wrong += t.n != n_in || t.size < t.n;
		}
		ck_assert_uint_eq(n_wrong, 0);
		for (size_t at = 0; n_in > 0; n_in--) {
			struct cl_node *node = cl_table_take_any(&t, &at);

			ck_assert_ptr_nonnull(node);
			is_in[node - nodes] = false;
		}
		ck_assert_uint_eq(t.n, 0);
		cl_table_deinit(&t);
	}
}
END_TEST

START_TEST(of_one_key_the_first_comes_first)
{
	struct cl_table t = {};
	struct cl_node nodes[3];

	ck_assert_ptr_null(cl_table_find(&t, 7));
	ck_assert_int_eq(cl_table_reserve(&t, 3), 0);
	for (unsigned i = 0; i < 3; i++)
		cl_table_add(&t, 7, &nodes[i]);
	ck_assert_ptr_eq(cl_table_find(&t, 7), &nodes[0]);
	cl_table_remove(&t, &nodes[1]);
	ck_assert_ptr_eq(cl_table_take(&t, 7), &nodes[0]);
	ck_assert_ptr_eq(cl_table_take(&t, 7), &nodes[2]);
	ck_assert_ptr_null(cl_table_take(&t, 7));
	cl_table_deinit(&t);
}
END_TEST

/* IDs of one client among many can have any stride: no chain gets long for that. */
START_TEST(strides_do_not_meet)
{
	static struct cl_node nodes[N];

	for (unsigned bit = 0; bit < 40; bit++) {
		struct cl_table t = {};
		size_t longest = 0;

		ck_assert_int_eq(cl_table_reserve(&t, N), 0);
		for (unsigned i = 0; i < N; i++)
			cl_table_add(&t, (uint64_t)i << bit, &nodes[i]);
		for (size_t i = 0; i < t.size; i++) {
			size_t n = 0;

			for (struct cl_node *node = t.chains[i]; node; node = node->next)
				n++;
			longest = n > longest ? n : longest;
		}
		ck_assert_uint_le(longest, 16);
		cl_table_deinit(&t);
	}
}
END_TEST

SUITE_MAIN("table", who_is_in_is_found, of_one_key_the_first_comes_first, strides_do_not_meet)
