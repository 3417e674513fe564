/* What a worker keeps from one run to the next, and when it goes. */
#include "daemon/worker/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/shm.h"
#include "tests/unit/suite.h"

static struct cache cache;
static unsigned n_destroyed;

static void destroy(void *kept)
{
	n_destroyed++;
	free(kept);
}

static void set_up(void)
{
	cache_init(&cache, 1000);
	n_destroyed = 0;
}

static void tear_down(void)
{
	cache_clear(&cache);
	ck_assert_uint_eq(cache.bytes, 0);
	ck_assert_uint_eq(cache.n_fds, 0);
	ck_assert_uint_eq(cache.n, 0);
}

/* A value with one byte string of n bytes, mapped. */
static struct cached *add(uint64_t id, size_t n)
{
	uint8_t bytes[2000] = {(uint8_t)id};
	int fd = shm_from_bytes("test", bytes, n);
	struct cached *e = cache_add(&cache, id);

	ck_assert_ptr_nonnull(e);
	cache_set_parts(&cache, e, &fd, 1);
	ck_assert_int_eq(cache_map(&cache, &e->parts[0]), 0);
	return e;
}

static void keep(struct cached *e, size_t bytes)
{
	cache_keep(&cache, e, malloc(1), bytes, destroy);
}

START_TEST(it_is_found_again_by_its_id)
{
	struct cached *e = add(7, 100);
	const void *p = e->parts[0].p;

	ck_assert_uint_eq(*(const uint8_t *)p, 7);
	cache_settle(&cache, 1);
	ck_assert_ptr_eq(cache_find(&cache, 7), e);
	ck_assert_int_eq(cache_map(&cache, &e->parts[0]), 0);
	ck_assert_ptr_eq(e->parts[0].p, p);
	ck_assert_ptr_null(cache_find(&cache, 8));
}
END_TEST

START_TEST(what_is_no_more_goes_at_once)
{
	struct cached *e = add(1, 100);

	add(2, 200);
	keep(e, 300);
	cache_settle(&cache, 1);
	cache_forget(&cache, 3);
	ck_assert_uint_eq(cache.bytes, 600);
	cache_forget(&cache, 1);
	ck_assert_uint_eq(n_destroyed, 1);
	ck_assert_uint_eq(cache.bytes, 200);
	ck_assert_uint_eq(cache.n_fds, 1);
	ck_assert_ptr_null(cache_find(&cache, 1));
	ck_assert_ptr_nonnull(cache_find(&cache, 2));
	cache_settle(&cache, 2);
}
END_TEST

START_TEST(what_was_used_longest_ago_makes_room)
{
	struct cached *first;

	add(1, 400);
	cache_settle(&cache, 1);
	add(2, 400);
	cache_settle(&cache, 2);
	first = cache_find(&cache, 1);
	ck_assert_ptr_nonnull(first);
	add(3, 400);
	/* while a run uses them, nothing goes */
	ck_assert_uint_eq(cache.bytes, 1200);
	cache_settle(&cache, 3);
	ck_assert_uint_eq(cache.bytes, 800);
	ck_assert_ptr_null(cache_find(&cache, 2));
	ck_assert_ptr_nonnull(cache_find(&cache, 1));
	add(4, 2000);
	cache_settle(&cache, 4);
	ck_assert_uint_eq(cache.n, 0);
}
END_TEST

START_TEST(what_is_kept_is_destroyed_once)
{
	struct cached *e = add(1, 10);

	keep(e, 10);
	ck_assert_uint_eq(cache.bytes, 20);
	keep(e, 30);
	ck_assert_uint_eq(n_destroyed, 1);
	ck_assert_uint_eq(cache.bytes, 40);
	cache_settle(&cache, 1);
	ck_assert_uint_eq(n_destroyed, 1);
	e = cache_add(&cache, 2);
	keep(e, SIZE_MAX);
	cache_settle(&cache, 2);
	ck_assert_uint_eq(n_destroyed, 3);
	ck_assert_uint_eq(cache.bytes, 0);
}
END_TEST

START_TEST(only_so_many_are_kept)
{
	unsigned n_fds = suite_open_fds();

	for (uint64_t id = 1; id <= 200; id++) {
		add(id, 1);
		cache_settle(&cache, id);
	}
	ck_assert_uint_eq(cache.n, 64);
	ck_assert_uint_eq(suite_open_fds() - n_fds, 64);
	ck_assert_ptr_null(cache_find(&cache, 136));
	ck_assert_ptr_nonnull(cache_find(&cache, 137));
}
END_TEST

START_TEST(what_nobody_asks_for_goes)
{
	add(1, 10);
	cache_settle(&cache, 1000000);
	add(2, 10);
	cache_settle(&cache, 3000000);
	ck_assert_int_eq(cache_age(&cache, 4000000), 7000000);
	ck_assert_int_eq(cache_age(&cache, 11000000), 2000000);
	ck_assert_ptr_null(cache_find(&cache, 1));
	ck_assert_int_eq(cache_age(&cache, 13000000), -1);
	ck_assert_uint_eq(cache.n, 0);
}
END_TEST

START_TEST(what_is_no_memfd_is_not_mapped)
{
	struct cached *e = cache_add(&cache, 1);
	int pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	cache_set_parts(&cache, e, pair, 2);
	ck_assert_int_eq(cache_map(&cache, &e->parts[0]), -EBADF);
	ck_assert_ptr_null(e->parts[0].p);
}
END_TEST

SUITE_MAIN_WITH("cache", set_up, tear_down, it_is_found_again_by_its_id,
	what_is_no_more_goes_at_once, what_was_used_longest_ago_makes_room,
	what_is_kept_is_destroyed_once, only_so_many_are_kept, what_nobody_asks_for_goes,
	what_is_no_memfd_is_not_mapped)
