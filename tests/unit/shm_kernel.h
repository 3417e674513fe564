/* What the linker puts between proto/shm and the kernel in its tests: each call is refused as an
 * older kernel, or another kind of file would. */
#pragma once

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

#include "proto/shm.h"
#include "tests/unit/suite.h"

static struct {
	unsigned known_flags; /* of memfd_create(); others are EINVAL */
	unsigned n_memfd_calls;
	int range_error, sendfile_error, write_error; /* errno, 0: as the kernel says */
	unsigned n_interruptions;		      /* EINTRs before the next call goes through */
	bool writes_little;
	size_t n_sent;	       /* bytes that sendfile() copied */
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

static inline bool refuse(int error)
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
	ssize_t sent = refuse(kernel.sendfile_error) ? -1 : __real_sendfile(out, in, at, n);

	kernel.n_sent += sent > 0 ? (size_t)sent : 0;
	return sent;
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

static inline void expect_content(int fd, const void *bytes, size_t n)
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
static inline int counted_file(uint8_t **ret_bytes, size_t n)
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

/* The file that says so, for as long as the test lasts. */
static inline void offer_huge_pages(void)
{
	static char path[] = "/proc/self/fd/0000000000";
	int file = memfd_create("check", 0);

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(__real_write(file, "always [advise] never\n", 22), 22);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	kernel.huge_file = path;
}
