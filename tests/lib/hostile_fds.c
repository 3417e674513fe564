/* A result, and a stream of output, that is no memfd as it should be. */
#include "tests/lib/hostile.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int expect(int fd)
{
	if (fd < 0)
		_exit(9);
	return fd;
}

static int with_seals(int seals)
{
	int fd = expect(shm_new("hostile", 100));

	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		_exit(9);
	return fd;
}

static int a_pipe(void)
{
	int fds[2];

	expect(pipe(fds));
	return fds[0];
}

/* Where there is no such thing, another file system's. */
static int huge_pages(int seals)
{
	int fd = memfd_create("hostile", MFD_ALLOW_SEALING | MFD_HUGETLB);

	if (fd < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return expect(open("/proc/self/maps", O_RDONLY));
	return fd;
}

#define RESULT(name, fd)                                                                           \
	static void run_##name(void)                                                               \
	{                                                                                          \
		hostile_answer_fd(fd);                                                             \
	}
#define OUTPUT(name, fd)                                                                           \
	static void run_output_##name(void)                                                        \
	{                                                                                          \
		hostile_send_output("stdout", hostile_id, fd);                                     \
	}
/* Neither can be. */
#define BOTH(name, fd) RESULT(name, fd) OUTPUT(name, fd)

RESULT(unsealed, shm_new("hostile", 100))
RESULT(writable, with_seals(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
RESULT(growing, with_seals(F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL))
RESULT(shrinking, with_seals(F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
RESULT(half_sealed, with_seals(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
RESULT(future_write,
	with_seals(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | 0x10 /* F_SEAL_FUTURE_WRITE */))
BOTH(huge_pages, huge_pages(0))
BOTH(sealed_huge_pages, huge_pages(0xf))
BOTH(pipe, a_pipe())
BOTH(socket, HOSTILE_FD)
BOTH(zero, expect(open("/dev/zero", O_RDWR)))
BOTH(procfs, expect(open("/proc/self/maps", O_RDONLY)))
BOTH(file, expect(open("/proc/self/exe", O_RDONLY)))
BOTH(directory, expect(open("/", O_RDONLY)))
BOTH(path, expect(open("/proc/self/exe", O_PATH)))
BOTH(pidfd, expect((int)syscall(SYS_pidfd_open, getpid(), 0)))

#define DEEDS(name) DEED(run_##name), DEED(run_output_##name)

const struct hostile_deed hostile_fds[] = {
	DEED(run_unsealed),
	DEED(run_writable),
	DEED(run_growing),
	DEED(run_shrinking),
	DEED(run_half_sealed),
	DEED(run_future_write),
	DEEDS(huge_pages),
	DEEDS(sealed_huge_pages),
	DEEDS(pipe),
	DEEDS(socket),
	DEEDS(zero),
	DEEDS(procfs),
	DEEDS(file),
	DEEDS(directory),
	DEEDS(path),
	DEEDS(pidfd),
	{NULL, NULL},
};
