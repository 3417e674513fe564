/* What many unit tests share: a program that is no more than its tests, bytes as literals. */
#pragma once

#include <dirent.h>
#include <string.h>

#include "proto/base.h"
#include "tests/lib/check_run.h"

/* A string literal as bytes and their number. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/* The fixtures may be NULL. Each test is a TCase of its own, so that CK_RUN_CASE can name it. */
static inline int suite_run(
	const char *name, SFun set_up, SFun tear_down, const TTest **tests, size_t n)
{
	Suite *suite = suite_create(name);

	for (size_t i = 0; i < n; i++) {
		TCase *tcase = tcase_create(tests[i]->name);

		tcase_set_timeout(tcase, 60);
		tcase_add_checked_fixture(tcase, set_up, tear_down);
		tcase_add_test(tcase, tests[i]);
		suite_add_tcase(suite, tcase);
	}
	return check_run(suite);
}

#define SUITE_MAIN_WITH(name, set_up, tear_down, ...)                                              \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *tests[] = {__VA_ARGS__};                                              \
                                                                                                   \
		return suite_run(name, set_up, tear_down, tests, ARRAY_SIZE(tests));               \
	}

#define SUITE_MAIN(name, ...) SUITE_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

/* Open descriptors of this process. */
static inline unsigned suite_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

/* Each condition from first to last has words of its own. */
static inline void suite_expect_sentences(const char *(*strerror_of)(int), int first, int last)
{
	for (int r = first; r <= last; r++) {
		ck_assert_uint_gt(strlen(strerror_of(r)), 0);
		for (int other = first; other < r; other++)
			ck_assert_str_ne(strerror_of(r), strerror_of(other));
	}
	ck_assert_str_eq(strerror_of(99), "unknown condition");
}

/* A seeded sequence: the same in every run. */
static inline uint32_t suite_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}
