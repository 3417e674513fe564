/* Memfds, their seals and their mappings. What bytes cost on their way in is told in shm_fill.c. */
#include "proto/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Kernels before 6.3 do not know MFD_NOEXEC_SEAL: the first refusal is remembered. */
static atomic_bool is_noexec_unknown;

static int memfd_new(const char *name)
{
	int fd;

	if (!atomic_load_explicit(&is_noexec_unknown, memory_order_relaxed)) {
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
		if (fd >= 0 || errno != EINVAL)
			return fd < 0 ? -errno : fd;
	}
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	atomic_store_explicit(&is_noexec_unknown, true, memory_order_relaxed);
	return fd;
}

size_t shm_max(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_FSIZE, &l) < 0 || l.rlim_cur > SSIZE_MAX)
		return SSIZE_MAX;
	return l.rlim_cur;
}

int shm_new(const char *name, size_t n)
{
	cleanup_fd int fd = -1;

	if (n > 0 && n > shm_max())
		return -EFBIG;
	fd = memfd_new(name);
	if (fd < 0)
		return fd;
	if (n > 0 && ftruncate(fd, (off_t)n) < 0)
		return -errno;
	return take_fd(&fd);
}

/* ---- seals ---- */

int shm_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int shm_check(int fd, size_t max, size_t *ret_len)
{
	struct statfs fs;
	struct stat st;
	int seals, flags;

	/* fails for what cannot be sealed, and for O_PATH; files of a tmpfs have it too, but have
	 * names. First, since a file system that is no memory may never answer fstat() */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return fcntl(fd, F_GETFD) < 0 ? -errno : SHM_E_KIND;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink > 0)
		return SHM_E_KIND;
	/* huge pages can be sealed too, but a reader may get SIGBUS for want of one */
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != TMPFS_MAGIC)
		return SHM_E_KIND;
	/* opened anew through /proc for writing only: nobody could map it */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if ((flags & O_ACCMODE) == O_WRONLY)
		return SHM_E_KIND;
	if ((seals & SEALS) != SEALS)
		return SHM_E_SEALS;
	*ret_len = (size_t)st.st_size;
	return (uint64_t)st.st_size > max ? SHM_E_SIZE : 0;
}

/* ---- mapping ---- */

static int map(int fd, size_t n, int prot, int flags, void **ret)
{
	static uint8_t nothing[1];
	void *p = nothing;

	if (n > 0)
		p = mmap(NULL, n, prot, flags, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

int shm_map(int fd, size_t n, const void **ret)
{
	void *p = NULL;
	int r = map(fd, n, PROT_READ, MAP_PRIVATE, &p);

	if (r == 0)
		*ret = p;
	return r;
}

int shm_map_write(int fd, size_t n, void **ret)
{
	void *p = NULL;
	int r = map(fd, n, PROT_READ | PROT_WRITE, MAP_SHARED, &p);

	if (r < 0)
		return r;
	/* a child that had it mapped too would stand in the way of the seal */
	if (n > 0 && madvise(p, n, MADV_DONTFORK) < 0) {
		r = -errno;
		munmap(p, n);
		return r;
	}
	/* a wish: without huge pages it is refused, or does nothing */
	if (n >= SHM_HUGE_BYTES)
		(void)madvise(p, n, MADV_HUGEPAGE);
	*ret = p;
	return 0;
}

void shm_unmap(const void *p, size_t n)
{
	if (p && n > 0)
		munmap((void *)p, n);
}

const char *shm_strerror(int r)
{
	switch (r) {
	case SHM_E_KIND: return "not a memfd";
	case SHM_E_SEALS: return "not sealed against write, grow, shrink and seal";
	case SHM_E_SIZE: return "larger than allowed";
	default: return "unknown condition";
	}
}
