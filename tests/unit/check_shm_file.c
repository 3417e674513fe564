/* Memfds from files, by whatever way the kernel has. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/shm_kernel.h"

START_TEST(a_file_is_copied_from_its_offset_by_whatever_works)
{
	static const struct {
		int range_error, sendfile_error;
	} ways[] = {{0, 0}, {EXDEV, 0}, {ENOSYS, EINVAL}, {EINVAL, ENOSYS}};
	static const size_t sizes[] = {0, 1, 65536, 300001};

	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t from = sizes[i] / 3, len = 77;
			cleanup_free uint8_t *bytes = NULL;
			cleanup_fd int file = counted_file(&bytes, sizes[i]);
			cleanup_fd int fd = -1;

			kernel.range_error = ways[w].range_error;
			kernel.sendfile_error = ways[w].sendfile_error;
			ck_assert_int_eq(lseek(file, (off_t)from, SEEK_SET), (off_t)from);
			fd = shm_from_file("check", file, sizes[i] - from, &len);
			ck_assert_msg(fd >= 0, "way %zu, %zu bytes: %d", w, sizes[i], fd);
			ck_assert_uint_eq(len, sizes[i] - from);
			expect_content(fd, bytes + from, len);
			ck_assert_int_eq(lseek(file, 0, SEEK_CUR), (off_t)sizes[i]);
		}
}
END_TEST

START_TEST(a_sealed_memfd_is_shared_and_not_copied)
{
	static const uint8_t bytes[100000] = {3, 2, 1};
	cleanup_fd int whole = shm_from_bytes("check", bytes, sizeof(bytes)), open_one = -1;
	cleanup_fd int shared = -1, part = -1, copy = -1;
	size_t len = 0;

	kernel.write_error = EIO;
	kernel.range_error = kernel.sendfile_error = EINVAL;
	shared = shm_from_file("check", whole, sizeof(bytes), &len);
	ck_assert_int_ge(shared, 0);
	ck_assert_int_ne(shared, whole);
	ck_assert_int_eq(fcntl(shared, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(len, sizeof(bytes));
	expect_content(shared, bytes, sizeof(bytes));
	/* it was read to its end */
	ck_assert_int_eq(lseek(whole, 0, SEEK_CUR), sizeof(bytes));
	ck_assert_int_eq(lseek(whole, 0, SEEK_SET), 0);
	ck_assert_int_eq(shm_from_file("check", whole, sizeof(bytes) - 1, &len), -EFBIG);
	kernel.write_error = 0;
	ck_assert_int_eq(lseek(whole, 99999, SEEK_SET), 99999);
	part = shm_from_file("check", whole, 1, &len);
	ck_assert_int_ge(part, 0);
	expect_content(part, bytes + 99999, 1);
	/* what can still change is copied */
	open_one = shm_new("check", 10);
	copy = shm_from_file("check", open_one, 10, &len);
	ck_assert_int_ge(copy, 0);
	ck_assert_int_eq(pwrite(open_one, "x", 1, 0), 1);
	expect_content(copy, "\0\0\0\0\0\0\0\0\0\0", 10);
}
END_TEST

START_TEST(a_file_over_the_limit_is_refused)
{
	static const int errors[] = {0, EXDEV};
	unsigned n_fds = suite_open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		cleanup_free uint8_t *bytes = NULL;
		cleanup_fd int file = counted_file(&bytes, 1000);
		size_t len = 77;

		kernel.range_error = errors[i];
		ck_assert_int_eq(shm_from_file("check", file, 999, &len), -EFBIG);
		ck_assert_int_eq(shm_from_file("check", file, 0, &len), -EFBIG);
		ck_assert_uint_eq(len, 77);
	}
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

START_TEST(an_error_of_the_medium_is_no_reason_to_try_another_way)
{
	cleanup_free uint8_t *bytes = NULL;
	cleanup_fd int file = counted_file(&bytes, 1000);
	size_t len;

	kernel.range_error = EIO;
	ck_assert_int_eq(shm_from_file("check", file, 1000, &len), -EIO);
	kernel.range_error = EXDEV;
	kernel.sendfile_error = ENOSPC;
	ck_assert_int_eq(shm_from_file("check", file, 1000, &len), -ENOSPC);
	kernel.sendfile_error = EINVAL;
	kernel.write_error = ENOSPC;
	ck_assert_int_eq(shm_from_file("check", file, 1000, &len), -ENOSPC);
}
END_TEST

START_TEST(a_file_of_proc_is_copied_though_its_size_is_0)
{
	cleanup_fd int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	cleanup_fd int fd = -1;
	size_t len = 0;

	ck_assert_int_ge(file, 0);
	fd = shm_from_file("check", file, 1 << 20, &len);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_gt(len, 100);
}
END_TEST

START_TEST(a_directory_is_no_file_to_copy)
{
	cleanup_fd int file = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	size_t len;

	ck_assert_int_eq(shm_from_file("check", file, 1 << 20, &len), -EISDIR);
}
END_TEST

/* The other end of a pipe: writes n bytes in pieces. */
static pid_t fork_writer(int pipe_end, const uint8_t *bytes, size_t n)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	for (size_t at = 0; at < n;) {
		ssize_t done = __real_write(pipe_end, bytes + at, n - at < 7777 ? n - at : 7777);

		if (done < 0)
			_exit(1);
		at += (size_t)done;
	}
	_exit(0);
}

/* Also with a pipe that somebody made non-blocking, where the reader is ahead of the writer. */
START_TEST(a_pipe_is_copied_to_its_end)
{
	static uint8_t bytes[300000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 11 + i / 256);
	for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		cleanup_fd int fd = -1;
		int ends[2], status;
		size_t len = 0;
		pid_t pid;

		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		ck_assert_int_eq(fcntl(ends[0], F_SETFL, flags), 0);
		pid = fork_writer(ends[1], bytes, sizeof(bytes));
		close(ends[1]);
		fd = shm_from_file("check", ends[0], sizeof(bytes), &len);
		close(ends[0]);
		ck_assert_int_ge(fd, 0);
		expect_content(fd, bytes, sizeof(bytes));
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(a_pipe_over_the_limit_is_refused)
{
	size_t len = 77;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(__real_write(ends[1], "123456", 6), 6);
	close(ends[1]);
	ck_assert_int_eq(shm_from_file("check", ends[0], 5, &len), -EFBIG);
	ck_assert_uint_eq(len, 77);
	close(ends[0]);
}
END_TEST

/* Where huge pages are offered it is read where it stays; also one that is not what it was when it
 * was looked at. */
START_TEST(with_huge_pages_the_file_is_the_same)
{
	static const size_t sizes[] = {(2u << 20) - 1, 2u << 20, (4u << 20) + 5};

	offer_huge_pages();
	kernel.range_error = EXDEV;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (size_t from = 0; from < 10; from += 3) {
			cleanup_free uint8_t *bytes = NULL;
			cleanup_fd int file = counted_file(&bytes, sizes[i]);
			cleanup_fd int fd = -1;
			size_t len = 77;

			ck_assert_int_eq(lseek(file, (off_t)from, SEEK_SET), (off_t)from);
			/* of what is read so nothing is left for another way but to say that it
			 * ends */
			kernel.n_sent = 0;
			fd = shm_from_file("check", file, sizes[i], &len);
			ck_assert_int_ge(fd, 0);
			ck_assert_uint_eq(len, sizes[i] - from);
			expect_content(fd, bytes + from, len);
			ck_assert_int_eq(kernel.n_sent == 0, sizes[i] - from >= 2u << 20);
		}
}
END_TEST

SUITE_MAIN("shm_file", a_file_is_copied_from_its_offset_by_whatever_works,
	a_sealed_memfd_is_shared_and_not_copied, a_file_over_the_limit_is_refused,
	an_error_of_the_medium_is_no_reason_to_try_another_way,
	a_file_of_proc_is_copied_though_its_size_is_0, a_directory_is_no_file_to_copy,
	a_pipe_is_copied_to_its_end, a_pipe_over_the_limit_is_refused,
	with_huge_pages_the_file_is_the_same)
