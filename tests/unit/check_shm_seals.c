/* What shm_check() takes for a sealed memfd, and what it does not. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/shm.h"
#include "tests/unit/suite.h"

#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static int memfd_with(unsigned flags, off_t n, int seals)
{
	int fd = memfd_create("check", MFD_CLOEXEC | flags);

	if (fd < 0)
		return fd;
	ck_assert_int_eq(ftruncate(fd, n), 0);
	if (seals)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int reopened(int flags)
{
	cleanup_fd int fd = memfd_with(MFD_ALLOW_SEALING, 100, ALL_SEALS);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static int unlinked_file(const char *folder)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/check_seals.XXXXXX", folder);
	fd = mkostemp(path, O_CLOEXEC);
	unlink(path);
	return fd;
}

static int pipe_end(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	return ends[0];
}

START_TEST(only_a_wholly_sealed_memfd_passes)
{
	static const int sealable = MFD_ALLOW_SEALING;
	const struct {
		const char *what;
		int fd;
		int expected;
	} rows[] = {
		{"sealed", memfd_with(sealable, 100, ALL_SEALS), 0},
		{"sealed, empty", memfd_with(sealable, 0, ALL_SEALS), 0},
		{"sealed, of the largest size", memfd_with(sealable, 1000, ALL_SEALS), 0},
		{"more seals", memfd_with(sealable, 100, ALL_SEALS | F_SEAL_FUTURE_WRITE), 0},
		{"sealed, opened for reading", reopened(O_RDONLY), 0},
		{"one byte too large", memfd_with(sealable, 1001, ALL_SEALS), SHM_E_SIZE},
		{"sparse, 1 TiB", memfd_with(sealable, 1ll << 40, ALL_SEALS), SHM_E_SIZE},
		{"unsealed", memfd_with(sealable, 100, 0), SHM_E_SEALS},
		{"cannot be sealed", memfd_with(0, 100, 0), SHM_E_SEALS},
		{"may be written", memfd_with(sealable, 100, ALL_SEALS & ~F_SEAL_WRITE),
			SHM_E_SEALS},
		{"may grow", memfd_with(sealable, 100, ALL_SEALS & ~F_SEAL_GROW), SHM_E_SEALS},
		{"may shrink", memfd_with(sealable, 100, ALL_SEALS & ~F_SEAL_SHRINK), SHM_E_SEALS},
		{"may get seals", memfd_with(sealable, 100, ALL_SEALS & ~F_SEAL_SEAL), SHM_E_SEALS},
		{"future write only",
			memfd_with(
				sealable, 100, (ALL_SEALS & ~F_SEAL_WRITE) | F_SEAL_FUTURE_WRITE),
			SHM_E_SEALS},
		{"unsealed and large", memfd_with(sealable, 1ll << 40, 0), SHM_E_SEALS},
		{"sealed, opened for writing", reopened(O_WRONLY), SHM_E_KIND},
		{"sealed, opened as a path", reopened(O_PATH), SHM_E_KIND},
		{"pipe", pipe_end(), SHM_E_KIND},
		{"socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), SHM_E_KIND},
		{"/dev/zero", open("/dev/zero", O_RDWR | O_CLOEXEC), SHM_E_KIND},
		{"/dev/null", open("/dev/null", O_RDWR | O_CLOEXEC), SHM_E_KIND},
		{"directory", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), SHM_E_KIND},
		{"program", open("/proc/self/exe", O_RDONLY | O_CLOEXEC), SHM_E_KIND},
		{"file of proc", open("/proc/self/status", O_RDONLY | O_CLOEXEC), SHM_E_KIND},
		{"pidfd", (int)syscall(SYS_pidfd_open, getpid(), 0), SHM_E_KIND},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = 77;
		int r;

		ck_assert_msg(rows[i].fd >= 0, "%s: no such fd here: %m", rows[i].what);
		r = shm_check(rows[i].fd, 1000, &len);
		ck_assert_msg(r == rows[i].expected, "%s: %d %s", rows[i].what, r, shm_strerror(r));
		if (r == 0 || r == SHM_E_SIZE) {
			struct stat st;

			ck_assert_int_eq(fstat(rows[i].fd, &st), 0);
			ck_assert_uint_eq(len, (size_t)st.st_size);
		} else {
			ck_assert_uint_eq(len, 77);
		}
		close(rows[i].fd);
	}
}
END_TEST

START_TEST(files_and_huge_pages_are_no_memfds)
{
	/* where they cannot be made there is nothing to refuse */
	const int fds[] = {
		unlinked_file("/tmp"),
		unlinked_file("/dev/shm"),
		memfd_with(MFD_ALLOW_SEALING | MFD_HUGETLB, 0, ALL_SEALS),
	};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		size_t len = 77;

		if (fds[i] < 0)
			continue;
		ck_assert_int_gt(shm_check(fds[i], 1000, &len), 0);
		ck_assert_uint_eq(len, 77);
		close(fds[i]);
	}
}
END_TEST

START_TEST(a_file_with_a_name_is_no_memfd)
{
	char path[] = "/dev/shm/check_seals.XXXXXX";
	cleanup_fd int fd = mkostemp(path, O_CLOEXEC);
	size_t len = 77;
	int r;

	if (fd < 0)
		return; /* no such folder here */
	r = shm_check(fd, 1000, &len);
	unlink(path);
	ck_assert_int_eq(r, SHM_E_KIND);
	ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(every_condition_has_its_sentence)
{
	suite_expect_sentences(shm_strerror, SHM_E_KIND, SHM_E_SIZE);
}
END_TEST

SUITE_MAIN("shm_seals", only_a_wholly_sealed_memfd_passes, files_and_huge_pages_are_no_memfds,
	a_file_with_a_name_is_no_memfd, every_condition_has_its_sentence)
