/* Fresh pages are what a large payload costs: they are taken, zeroed or written, mapped, and freed
 * again, and a sealed memfd cannot be used a second time. What pays was measured with
 * tests/bench/memory.c, whose figures differ by machine but agree in this:
 *
 *	- write() fills pages that nobody mapped, and need not zero them: little more than half of what
 *	  a copy through a mapping takes, in pieces of 64 KiB and more. sendfile() does it for files.
 *	- A huge page makes filling five times as fast, reading and freeing far more than that. Where
 *	  shared memory has them for who asks, asking takes a mapping, and beats write().
 *	- Populating in advance, by mmap() or madvise(), saves nothing: neither for writers, since
 *	  zeroing is what takes the time, nor for readers, to whom the kernel maps 16 pages at a time.
 *	- Letting go takes a quarter of filling: who must not wait has it done by another thread.
 */
#include "proto/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* What one system call is asked to copy at most. */
#define COPY_BYTES (1u << 30)
#define READ_BYTES (64u * 1024u)
#define HUGE_FILE  "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n < COPY_BYTES ? n : COPY_BYTES);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_pieces(int fd, const struct iovec *iov, size_t n_iov)
{
	while (n_iov > 0) {
		ssize_t done = writev(fd, iov, n_iov < IOV_MAX ? (int)n_iov : IOV_MAX);
		int r;

		if (done < 0 && errno != EINTR)
			return -errno;
		for (; n_iov > 0 && done >= (ssize_t)iov->iov_len; iov++, n_iov--)
			done -= (ssize_t)iov->iov_len;
		if (done <= 0)
			continue;
		r = write_all(fd, (uint8_t *)iov->iov_base + done, iov->iov_len - (size_t)done);
		if (r < 0)
			return r;
		iov++;
		n_iov--;
	}
	return 0;
}

enum huge {
	HUGE_UNKNOWN,
	HUGE_ASKED, /* who asks for them by madvise() gets some */
	HUGE_OTHER, /* nobody does, or everybody */
};

static enum huge huge_pages(void)
{
	static _Atomic(enum huge) known;
	enum huge is = atomic_load_explicit(&known, memory_order_relaxed);
	char text[128];
	ssize_t n;

	if (is == HUGE_UNKNOWN) {
		cleanup_fd int fd = open(HUGE_FILE, O_RDONLY | O_CLOEXEC);

		n = fd < 0 ? 0 : read(fd, text, sizeof(text));
		is = n > 0 && memmem(text, (size_t)n, "[advise]", 8) ? HUGE_ASKED : HUGE_OTHER;
		atomic_store_explicit(&known, is, memory_order_relaxed);
	}
	return is;
}

/* n bytes to write to. Populated, which kernels before 5.14 cannot: for want of memory this fails,
 * where a copy would be ended by a signal. */
static int map_populated(int fd, size_t n, void **ret)
{
	int r;

	if (ftruncate(fd, (off_t)n) < 0)
		return -errno;
	r = shm_map_write(fd, n, ret);
	if (r == 0 && madvise(*ret, n, MADV_POPULATE_WRITE) < 0 && errno != EINVAL) {
		r = -errno;
		shm_unmap(*ret, n);
	}
	return r;
}

static int copy_pieces(int fd, const struct iovec *iov, size_t n_iov, size_t n)
{
	uint8_t *at;
	void *p = NULL;
	int r;

	r = map_populated(fd, n, &p);
	if (r < 0)
		return r;
	at = p;
	for (size_t i = 0; i < n_iov; i++) {
		if (iov[i].iov_len > 0)
			memcpy(at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	shm_unmap(p, n);
	return 0;
}

/* Seals a finished memfd and hands it out, at its beginning: somebody may read it as a file. */
static int seal_and_take(int *fd)
{
	int r = shm_seal(*fd);

	if (r == 0 && lseek(*fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(fd);
}

static int from_pieces(const char *name, const struct iovec *iov, size_t n_iov, size_t n)
{
	cleanup_fd int fd = -1;
	int r;

	if (n > shm_max())
		return -EFBIG;
	fd = shm_new(name, 0);
	if (fd < 0)
		return fd;
	if (n >= SHM_HUGE_BYTES && huge_pages() == HUGE_ASKED)
		r = copy_pieces(fd, iov, n_iov, n);
	else
		r = write_pieces(fd, iov, n_iov);
	return r < 0 ? r : seal_and_take(&fd);
}

int shm_from_bytes(const char *name, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};

	return from_pieces(name, &iov, 1, n);
}

int shm_from_iov(const char *name, const struct iovec *iov, size_t n_iov)
{
	size_t n = 0;

	for (size_t i = 0; i < n_iov; i++)
		n += iov[i].iov_len;
	return from_pieces(name, iov, n_iov, n);
}

/* ---- from a file ---- */

/* The ways to copy, best first. One that does not work for this kind of file gives way to the next.
 */
enum copy {
	COPY_RANGE,
	COPY_SENDFILE,
	COPY_READ,
};

static ssize_t copy_by_read(int to, int file, size_t n)
{
	uint8_t bytes[READ_BYTES];
	ssize_t got;
	int r;

	got = read(file, bytes, n < sizeof(bytes) ? n : sizeof(bytes));
	if (got < 0)
		return -errno;
	r = write_all(to, bytes, (size_t)got);
	return r < 0 ? r : got;
}

static ssize_t copy_some(enum copy how, int to, int file, size_t n)
{
	ssize_t done;

	if (n > COPY_BYTES)
		n = COPY_BYTES;
	switch (how) {
	case COPY_RANGE: done = copy_file_range(file, NULL, to, NULL, n, 0); break;
	case COPY_SENDFILE: done = sendfile(to, file, NULL, n); break;
	default: return copy_by_read(to, file, n);
	}
	return done < 0 ? -errno : done;
}

/* Somebody else may have made the file non-blocking: a terminal, say. */
static int wait_readable(int file)
{
	struct pollfd p = {.fd = file, .events = POLLIN};

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/* Copies to the end of the file, behind the len bytes that are there. Its size is no guide: it can
 * change meanwhile, and files of /proc have none. */
static int copy_all(int to, int file, size_t len, size_t max, size_t *ret_len)
{
	enum copy how = COPY_RANGE;

	for (;;) {
		/* one byte more than allowed tells whether the file goes on */
		size_t want = max - len < COPY_BYTES ? max - len + 1 : COPY_BYTES;
		ssize_t n = copy_some(how, to, file, want);

		if (n > 0) {
			len += (size_t)n;
			if (len > max)
				return -EFBIG;
		} else if (n == -EINTR) {
			continue;
		} else if (n == -EAGAIN) {
			int r = wait_readable(file);

			if (r < 0)
				return r;
		} else if (how == COPY_READ) {
			if (n < 0)
				return (int)n;
			break;
		} else if (n == 0 && len > 0) {
			break;
		} else if (n == -ENOMEM || n == -ENOSPC || n == -EIO) {
			return (int)n;
		} else {
			how++; /* 0 bytes at the start: files of /proc, on some kernels */
		}
	}
	*ret_len = len;
	return 0;
}

/* Nothing is copied of what cannot change any more. */
static int share_sealed(int file, size_t len)
{
	int fd = fcntl(file, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0)
		(void)lseek(file, (off_t)len, SEEK_SET);
	return fd < 0 ? -errno : fd;
}

/* Into a mapping, up to n bytes. */
static int read_mapped(int file, uint8_t *to, size_t n, size_t *ret_len)
{
	size_t len = 0;

	while (len < n) {
		ssize_t got = read(file, to + len, n - len < COPY_BYTES ? n - len : COPY_BYTES);

		if (got == 0 || (got < 0 && errno != EINTR && len == 0))
			break; /* it may go another way, which says what is wrong */
		if (got < 0 && errno != EINTR)
			return -errno;
		len += got > 0 ? (size_t)got : 0;
	}
	*ret_len = len;
	return 0;
}

/* What the file has now, straight into huge pages. */
static int read_whole(int fd, int file, size_t n, size_t *ret_len)
{
	size_t len = 0;
	void *p;
	int r;

	r = map_populated(fd, n, &p);
	if (r < 0)
		return r;
	r = read_mapped(file, p, n, &len);
	shm_unmap(p, n);
	if (r == 0 && (ftruncate(fd, (off_t)len) < 0 || lseek(fd, (off_t)len, SEEK_SET) < 0))
		r = -errno;
	*ret_len = len;
	return r;
}

/* at: where the file stands, -1 if it is none. */
static int copy_file(const char *name, int file, off_t size, off_t at, size_t max, size_t *ret_len)
{
	cleanup_fd int fd = -1;
	size_t len = 0;
	int r = 0;

	/* the byte too much that tells whether the file goes on is written, too */
	if (max >= shm_max())
		max = shm_max() > 0 ? shm_max() - 1 : 0;
	/* too large is known before the first byte is copied */
	if (at >= 0 && size > at && (uint64_t)(size - at) > max)
		return -EFBIG;
	fd = shm_new(name, 0);
	if (fd < 0)
		return fd;
	if (at >= 0 && size - at >= (off_t)SHM_HUGE_BYTES && huge_pages() == HUGE_ASKED)
		r = read_whole(fd, file, (size_t)(size - at), &len);
	if (r == 0)
		r = copy_all(fd, file, len, max, ret_len);
	return r < 0 ? r : seal_and_take(&fd);
}

int shm_from_file(const char *name, int file, size_t max, size_t *ret_len)
{
	struct stat st;
	off_t at;
	size_t len = 0;
	int r;

	if (fstat(file, &st) < 0)
		return -errno;
	at = S_ISREG(st.st_mode) ? lseek(file, 0, SEEK_CUR) : -1;
	r = at == 0 ? shm_check(file, max, &len) : SHM_E_KIND;
	if (r == 0)
		r = share_sealed(file, len);
	else
		r = copy_file(name, file, st.st_size, at, max, &len);
	if (r >= 0)
		*ret_len = len;
	return r;
}
