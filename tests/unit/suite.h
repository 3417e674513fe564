/* What the unit tests of proto share: one test case per program, bytes as literals. */
#pragma once

#include <check.h>
#include <dirent.h>

#include "proto/base.h"

/* A string literal as bytes and their number. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static inline int suite_run(const char *name, const TTest **tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}

#define SUITE_MAIN(name, ...)                                                                      \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *tests[] = {__VA_ARGS__};                                              \
                                                                                                   \
		return suite_run(name, tests, ARRAY_SIZE(tests));                                  \
	}

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

/* A seeded sequence: the same in every run. */
static inline uint32_t suite_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}
