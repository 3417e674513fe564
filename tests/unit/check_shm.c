#include "proto/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/unit/suite.h"

/* What the linker puts between shm.c and the kernel: each refuses as an older kernel, or another
 * kind of file would. */
static struct {
	unsigned known_flags; /* of memfd_create(); others are EINVAL */
	unsigned n_memfd_calls;
	int range_error, sendfile_error, write_error; /* errno, 0: as the kernel says */
	unsigned n_interruptions;		      /* EINTRs before the next call goes through */
	bool writes_little;
	const char *huge_file; /* says whether there are huge pages */
} kernel = {.known_flags = UINT_MAX};

int __wrap_memfd_create(const char *name, unsigned flags);
int __real_memfd_create(const char *name, unsigned flags);
ssize_t __wrap_copy_file_range(
	int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags);
ssize_t __real_copy_file_range(
	int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags);
ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t n);
ssize_t __real_sendfile(int out, int in, off_t *at, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n_iov);
ssize_t __real_writev(int fd, const struct iovec *iov, int n_iov);
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);

int __wrap_memfd_create(const char *name, unsigned flags)
{
	kernel.n_memfd_calls++;
	if (flags & ~kernel.known_flags) {
		errno = EINVAL;
		return -1;
	}
	return __real_memfd_create(name, flags);
}

static bool refuse(int error)
{
	if (kernel.n_interruptions > 0) {
		kernel.n_interruptions--;
		error = EINTR;
	}
	errno = error;
	return error != 0;
}

ssize_t __wrap_copy_file_range(
	int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	return refuse(kernel.range_error)
		       ? -1
		       : __real_copy_file_range(in, in_at, out, out_at, n, flags);
}

ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t n)
{
	return refuse(kernel.sendfile_error) ? -1 : __real_sendfile(out, in, at, n);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
	return refuse(kernel.write_error) ? -1 : __real_write(fd, bytes, n);
}

/* No more than a page at a time, if so told. */
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n_iov)
{
	if (refuse(kernel.write_error))
		return -1;
	if (kernel.writes_little)
		return __real_write(fd, iov->iov_base, iov->iov_len < 4096 ? iov->iov_len : 4096);
	return __real_writev(fd, iov, n_iov);
}

int __wrap_open(const char *path, int flags, ...)
{
	if (kernel.huge_file && strstr(path, "shmem_enabled"))
		path = kernel.huge_file;
	return __real_open(path, flags);
}

static void expect_content(int fd, const void *bytes, size_t n)
{
	const void *p;
	size_t len;

	ck_assert_int_eq(shm_check(fd, SIZE_MAX, &len), 0);
	ck_assert_uint_eq(len, n);
	ck_assert_int_eq(shm_map(fd, len, &p), 0);
	ck_assert_ptr_nonnull(p);
	if (n > 0)
		ck_assert(memcmp(p, bytes, n) == 0);
	shm_unmap(p, len);
}

/* A file of n counted bytes, and the same bytes. */
static int counted_file(uint8_t **ret_bytes, size_t n)
{
	char path[] = "/tmp/check_shm.XXXXXX";
	uint8_t *bytes = malloc(n + 1);
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(__real_write(fd, bytes, n), (ssize_t)n);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	*ret_bytes = bytes;
	return fd;
}

START_TEST(bytes_become_a_sealed_memfd)
{
	static const uint8_t bytes[100000] = {1, 2, 3};
	static const size_t sizes[] = {0, 1, 4096, 4097, sizeof(bytes)};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_fd int fd = shm_from_bytes("check", bytes, sizes[i]);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		expect_content(fd, bytes, sizes[i]);
		ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
		ck_assert_int_eq(ftruncate(fd, 200000), -1);
		ck_assert_int_eq(ftruncate(fd, 0), sizes[i] == 0 ? 0 : -1);
	}
}
END_TEST

#define N_PIECES 5000u

/* Lengths 0 to 602, in an order of their own: more pieces than one call takes. */
static size_t cut(struct iovec *pieces, uint8_t *bytes, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < N_PIECES; i++) {
		size_t len = i * 7919 % 603;

		pieces[i] = (struct iovec){len ? bytes + at : NULL, len};
		at += len;
	}
	ck_assert_uint_le(at, n);
	return at;
}

static void fill_counted(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 13 + i / 253);
}

START_TEST(pieces_become_one_sealed_memfd)
{
	static struct iovec pieces[N_PIECES];
	static uint8_t bytes[N_PIECES * 602];
	size_t n = cut(pieces, bytes, sizeof(bytes));

	fill_counted(bytes, n);
	for (unsigned i = 0; i < 2; i++) {
		cleanup_fd int fd = -1, none = -1;

		kernel.writes_little = i > 0;
		kernel.n_interruptions = 3;
		fd = shm_from_iov("check", pieces, N_PIECES);
		ck_assert_int_ge(fd, 0);
		expect_content(fd, bytes, n);
		none = shm_from_iov("check", NULL, 0);
		ck_assert_int_ge(none, 0);
		expect_content(none, "", 0);
	}
}
END_TEST

/* Where they are offered bytes go another way; whether it is huge pages that they get matters to nobody. */
START_TEST(with_huge_pages_the_bytes_are_the_same)
{
	static uint8_t bytes[(4u << 20) + 5];
	static const size_t sizes[] = {1, (2u << 20) - 1, 2u << 20, (2u << 20) + 1, sizeof(bytes)};
	char path[] = "/tmp/check_shm.XXXXXX";
	int file = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(__real_write(file, "always [advise] never\n", 22), 22);
	kernel.huge_file = path;
	fill_counted(bytes, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct iovec pieces[] = {{bytes, 1}, {NULL, 0}, {bytes + 1, sizes[i] - 1}};
		cleanup_fd int fd = shm_from_iov("check", pieces, ARRAY_SIZE(pieces));

		ck_assert_int_ge(fd, 0);
		/* what goes the other way is not written */
		kernel.write_error = sizes[i] < 2u << 20 ? 0 : EIO;
		fd_close(fd);
		fd = shm_from_bytes("check", bytes, sizes[i]);
		kernel.write_error = 0;
		ck_assert_int_ge(fd, 0);
		expect_content(fd, bytes, sizes[i]);
	}
	close(file);
	unlink(path);
}
END_TEST

/* Beyond RLIMIT_FSIZE a write is a signal: nothing goes there. */
START_TEST(the_limit_of_files_is_one_of_memfds)
{
	const struct rlimit limit = {8192, 8192};
	cleanup_free uint8_t *bytes = NULL;
	cleanup_fd int file = counted_file(&bytes, 9000);
	cleanup_fd int fd = -1, whole = -1, part = -1;
	unsigned n_fds = suite_open_fds();
	size_t len;

	ck_assert_uint_ge(shm_max(), 1u << 30);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_uint_eq(shm_max(), 8192);
	ck_assert_int_eq(shm_new("check", 8193), -EFBIG);
	ck_assert_int_eq(shm_from_bytes("check", bytes, 8193), -EFBIG);
	ck_assert_int_eq(shm_from_file("check", file, 9000, &len), -EFBIG);
	kernel.range_error = EXDEV;
	ck_assert_int_eq(shm_from_file("check", file, 9000, &len), -EFBIG);
	ck_assert_uint_eq(suite_open_fds(), n_fds);
	fd = shm_new("check", 8192);
	ck_assert_int_ge(fd, 0);
	whole = shm_from_bytes("check", bytes, 8192);
	expect_content(whole, bytes, 8192);
	ck_assert_int_eq(lseek(file, 9000 - 8191, SEEK_SET), 9000 - 8191);
	part = shm_from_file("check", file, 9000, &len);
	ck_assert_int_ge(part, 0);
	ck_assert_uint_eq(len, 8191);
}
END_TEST

START_TEST(a_new_one_is_written_through_a_mapping_and_sealed_after_it)
{
	cleanup_fd int fd = shm_new("check", 5000);
	void *p;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(shm_map_write(fd, 5000, &p), 0);
	memset(p, 9, 5000);
	ck_assert_int_eq(shm_seal(fd), -EBUSY);
	shm_unmap(p, 5000);
	ck_assert_int_eq(shm_seal(fd), 0);
	ck_assert_int_lt(shm_map_write(fd, 5000, &p), 0);
	ck_assert_int_eq(shm_map(fd, 5000, (const void **)&p), 0);
	ck_assert_uint_eq(((uint8_t *)p)[4999], 9);
	shm_unmap(p, 5000);
}
END_TEST

START_TEST(nothing_has_a_valid_pointer_too)
{
	const void *p = NULL;
	void *w = NULL;

	ck_assert_int_eq(shm_map(-1, 0, &p), 0);
	ck_assert_ptr_nonnull(p);
	shm_unmap(p, 0);
	ck_assert_int_eq(shm_map_write(-1, 0, &w), 0);
	ck_assert_ptr_nonnull(w);
	shm_unmap(w, 0);
	shm_unmap(NULL, 0);
}
END_TEST

START_TEST(errors_come_back_as_such)
{
	size_t len = 77;
	const void *p = NULL;

	ck_assert_int_eq(shm_new("check", SIZE_MAX), -EFBIG);
	ck_assert_int_eq(shm_check(-1, 1, &len), -EBADF);
	ck_assert_int_eq(shm_map(-1, 1, &p), -EBADF);
	ck_assert_ptr_null(p);
	ck_assert_int_eq(shm_from_file("check", -1, 1, &len), -EBADF);
	ck_assert_int_eq(shm_seal(-1), -EBADF);
	kernel.write_error = ENOSPC;
	ck_assert_int_eq(shm_from_bytes("check", "x", 1), -ENOSPC);
	kernel.write_error = 0;
	kernel.known_flags = 0;
	ck_assert_int_eq(shm_new("check", 1), -EINVAL);
	ck_assert_int_eq(shm_from_bytes("check", "x", 1), -EINVAL);
	ck_assert_int_eq(shm_from_file("check", STDIN_FILENO, 1, &len), -EINVAL);
	ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(a_kernel_without_noexec_is_asked_once)
{
	unsigned n_fds = suite_open_fds();

	kernel.known_flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	for (unsigned i = 0; i < 3; i++) {
		cleanup_fd int fd = shm_from_bytes("check", "x", 1);

		expect_content(fd, "x", 1);
		ck_assert_uint_eq(kernel.n_memfd_calls, i + 2);
	}
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

START_TEST(a_kernel_with_noexec_seals_execution)
{
	cleanup_fd int fd = shm_from_bytes("check", "x", 1);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	if (kernel.n_memfd_calls > 1)
		return; /* this kernel does not know it */
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 0111, 0);
}
END_TEST

START_TEST(an_interrupted_call_is_made_again)
{
	cleanup_free uint8_t *bytes = NULL;
	cleanup_fd int file = counted_file(&bytes, 1000);
	cleanup_fd int fd = -1, copy = -1;
	size_t len = 0;

	kernel.n_interruptions = 5;
	fd = shm_from_bytes("check", bytes, 1000);
	expect_content(fd, bytes, 1000);
	ck_assert_uint_eq(kernel.n_interruptions, 0);
	kernel.n_interruptions = 5;
	copy = shm_from_file("check", file, 1000, &len);
	expect_content(copy, bytes, 1000);
	ck_assert_uint_eq(kernel.n_interruptions, 0);
}
END_TEST

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

SUITE_MAIN("shm", bytes_become_a_sealed_memfd, pieces_become_one_sealed_memfd,
	with_huge_pages_the_bytes_are_the_same, the_limit_of_files_is_one_of_memfds,
	a_new_one_is_written_through_a_mapping_and_sealed_after_it, nothing_has_a_valid_pointer_too,
	errors_come_back_as_such, a_kernel_without_noexec_is_asked_once,
	a_kernel_with_noexec_seals_execution, an_interrupted_call_is_made_again,
	a_file_is_copied_from_its_offset_by_whatever_works, a_sealed_memfd_is_shared_and_not_copied,
	a_file_over_the_limit_is_refused, an_error_of_the_medium_is_no_reason_to_try_another_way,
	a_file_of_proc_is_copied_though_its_size_is_0, a_directory_is_no_file_to_copy,
	a_pipe_is_copied_to_its_end, a_pipe_over_the_limit_is_refused)
