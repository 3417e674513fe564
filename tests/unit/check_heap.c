#include "daemon/core/heap.h"

#include <errno.h>
#include <stdbool.h>

#include "tests/lib/fault.h"
#include "tests/unit/suite.h"

enum {
	N = 200,
};

static struct heap h;
static struct heap_node nodes[N];

static void setup(void)
{
	h = (struct heap){0};
	for (int i = 0; i < N; i++)
		nodes[i] = (struct heap_node){0};
	ck_assert_int_eq(heap_reserve(&h, N), 0);
}

static void teardown(void)
{
	heap_deinit(&h);
	ck_assert_ptr_null(heap_first(&h));
}

static void check_order(void)
{
	for (uint32_t i = 0; i < h.n; i++) {
		const struct heap_node *node = h.entries[i].node;
		const struct heap_node *up = i ? h.entries[heap_above(i)].node : node;

		ck_assert_uint_eq(h.entries[i].key, node->key);
		ck_assert_uint_eq(node->pos, i + 1);
		ck_assert(
			up->key < node->key || (up->key == node->key && up->order <= node->order));
	}
}

START_TEST(nodes_come_out_in_order)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < N; i++)
		heap_set(&h, &nodes[i], i * 7919 % 101, i);
	check_order();
	for (uint32_t i = 0; i < N; i++) {
		struct heap_node *node = heap_first(&h);

		ck_assert_uint_ge(node->key * N + node->order, last);
		last = node->key * N + node->order;
		heap_clear(&h, node);
		ck_assert_uint_eq(node->pos, 0);
		check_order();
	}
	ck_assert_ptr_null(heap_first(&h));
}
END_TEST

START_TEST(equal_keys_keep_their_order)
{
	heap_set(&h, &nodes[0], 5, 2);
	heap_set(&h, &nodes[1], 5, 1);
	heap_set(&h, &nodes[2], 5, 3);
	ck_assert_ptr_eq(heap_first(&h), &nodes[1]);
	heap_clear(&h, &nodes[1]);
	ck_assert_ptr_eq(heap_first(&h), &nodes[0]);
}
END_TEST

START_TEST(a_node_can_be_moved_and_taken_from_anywhere)
{
	uint32_t noise = 1;

	for (int i = 0; i < 20000; i++) {
		struct heap_node *node;

		noise = noise * 1664525 + 1013904223;
		node = &nodes[noise / 7 % N];
		if (noise >> 30)
			heap_set(&h, node, noise / 3 % 50, noise % 11);
		else
			heap_clear(&h, node);
		if (i % 16 == 0)
			check_order();
	}
	check_order();
}
END_TEST

START_TEST(clearing_what_is_in_no_heap_is_fine)
{
	heap_clear(&h, &nodes[0]);
	heap_set(&h, &nodes[1], 1, 1);
	heap_clear(&h, &nodes[0]);
	ck_assert_uint_eq(h.n, 1);
}
END_TEST

START_TEST(those_before_one_are_counted)
{
	struct heap_node none = {.key = 60, .order = 0};

	for (uint32_t i = 0; i < N; i++)
		heap_set(&h, &nodes[i], i * 7919 % 101, i);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t n = 0;

		for (uint32_t k = 0; k < N; k++)
			n += heap_before(&nodes[k], &nodes[i]);
		ck_assert_uint_eq(heap_count_before(&h, &nodes[i], N), n);
		ck_assert_uint_eq(heap_count_before(&h, &nodes[i], 17), n < 17 ? n : 17);
	}
	ck_assert_uint_ge(heap_count_before(&h, &none, N), 100);
	h.n = 0;
	ck_assert_uint_eq(heap_count_before(&h, &none, N), 0);
}
END_TEST

START_TEST(room_grows_only_when_it_must)
{
	uint32_t size = h.size;
	int r;

	ck_assert_int_eq(heap_reserve(&h, size), 0);
	ck_assert_uint_eq(h.size, size);
	fault_alloc_at(1);
	r = heap_reserve(&h, size + 1);
	ck_assert(fault_end());
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_uint_eq(h.size, size);
	ck_assert_int_eq(heap_reserve(&h, size + 1), 0);
	ck_assert_uint_gt(h.size, size);
	ck_assert_int_eq(heap_reserve(&h, UINT32_MAX), -ENOMEM);
}
END_TEST

START_TEST(a_time_never_wraps_around)
{
	ck_assert_uint_eq(heap_after(5, 7), 12);
	ck_assert_uint_eq(heap_after(5, UINT64_MAX), HEAP_NEVER);
	ck_assert_uint_eq(heap_after(5, UINT64_MAX - 5), HEAP_NEVER);
	ck_assert_uint_eq(heap_after(5, UINT64_MAX - 6), HEAP_NEVER - 1);
}
END_TEST

SUITE_MAIN_WITH("heap", setup, teardown, nodes_come_out_in_order, equal_keys_keep_their_order,
	a_node_can_be_moved_and_taken_from_anywhere, clearing_what_is_in_no_heap_is_fine,
	those_before_one_are_counted, room_grows_only_when_it_must, a_time_never_wraps_around)
