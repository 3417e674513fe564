/* Payloads in shared memory: memfds, sealed once they are written. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proto/base.h"

enum {
	SHM_E_KIND = 1,	 /* no memfd (a file, pipe, socket, device, …) */
	SHM_E_SEALS = 2, /* write, grow, shrink and seal are not all sealed */
	SHM_E_SIZE = 3,	 /* larger than the caller takes */
};

/* From here on huge pages are asked for: the size of one, on most machines. */
#define SHM_HUGE_BYTES (2u << 20)

/* Largest memfd that this process may write. RLIMIT_FSIZE holds for memfds too; beyond it comes a
 * signal that ends the process, so nothing here goes there: -EFBIG. */
size_t shm_max(void);
/* A memfd of n bytes that can be sealed; close-on-exec, not executable where the kernel can.
 * Returns the fd or -errno. `name` shows in /proc. */
must_check int shm_new(const char *name, size_t n);
/* A sealed memfd with these bytes: one copy. Returns the fd or -errno. */
must_check int shm_from_bytes(const char *name, const void *bytes, size_t n);
/* The same in pieces, together at most SSIZE_MAX. */
must_check int shm_from_iov(const char *name, const struct iovec *iov, size_t n_iov);
/* A sealed memfd with the content of a file from its current offset to its end, copied in the
 * kernel (copy_file_range, sendfile, or read where neither works: pipes). A file that is such a
 * memfd, and stands at its beginning, is shared instead. Returns the fd or -errno; -EFBIG over max.
 * *ret_len: its size. */
must_check int shm_from_file(const char *name, int file, size_t max, size_t *ret_len);
/* Seals write, grow, shrink, seal. -EBUSY while somebody has it mapped writable. */
must_check int shm_seal(int fd);
/* Is it a memfd, wholly sealed, of at most max bytes? 0 and *ret_len, an SHM_E_, or -errno. On
 * SHM_E_SIZE *ret_len is set too. */
must_check int shm_check(int fd, size_t max, size_t *ret_len);
/* Maps a sealed memfd for reading (private: kernels before 6.7 refuse shared). n = 0 maps nothing
 * and gives a valid pointer. Undo with shm_unmap(). */
must_check int shm_map(int fd, size_t n, const void **ret);
/* Maps a memfd that is not sealed yet for writing; with huge pages where there are any. Children do
 * not inherit it. */
must_check int shm_map_write(int fd, size_t n, void **ret);
void shm_unmap(const void *p, size_t n);
/* A short sentence for an SHM_E_. */
const char *shm_strerror(int r);
