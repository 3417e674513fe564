/* Memfds from bytes, in one piece and in many, and their mappings. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/shm_kernel.h"

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

/* Where they are offered bytes go another way; whether it is huge pages that they get matters to
 * nobody. */
START_TEST(with_huge_pages_the_bytes_are_the_same)
{
	static uint8_t bytes[(4u << 20) + 5];
	static const size_t sizes[] = {1, (2u << 20) - 1, 2u << 20, (2u << 20) + 1, sizeof(bytes)};

	offer_huge_pages();
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

START_TEST(a_child_does_not_stand_in_the_way_of_a_seal)
{
	cleanup_fd int fd = shm_new("check", 5000);
	int gate[2], status;
	pid_t pid;
	char byte;
	void *p;

	ck_assert_int_eq(shm_map_write(fd, 5000, &p), 0);
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) != 0);
	}
	shm_unmap(p, 5000);
	ck_assert_int_eq(shm_seal(fd), 0);
	close(gate[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(gate[0]);
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

SUITE_MAIN("shm", bytes_become_a_sealed_memfd, pieces_become_one_sealed_memfd,
	with_huge_pages_the_bytes_are_the_same, the_limit_of_files_is_one_of_memfds,
	a_new_one_is_written_through_a_mapping_and_sealed_after_it,
	a_child_does_not_stand_in_the_way_of_a_seal, nothing_has_a_valid_pointer_too,
	errors_come_back_as_such, a_kernel_without_noexec_is_asked_once,
	a_kernel_with_noexec_seals_execution, an_interrupted_call_is_made_again)
