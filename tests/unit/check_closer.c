/* What the daemon closes beside its loop. */
#include "daemon/closer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define LARGE_BYTES (1u << 20)

static int memfd_of(size_t n)
{
	int fd = memfd_create("check", MFD_CLOEXEC);
	void *bytes = calloc(1, n);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	free(bytes);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static unsigned threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

START_TEST(what_costs_nothing_is_closed_at_once)
{
	int small = memfd_of(1000), sparse = memfd_of(0), pair[2];

	ck_assert_int_eq(ftruncate(sparse, (off_t)1 << 40), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	closer_close(-1);
	closer_close(small);
	closer_close(sparse);
	closer_close_socket(pair[0]);
	closer_close(pair[1]);
	ck_assert(!is_open(small) && !is_open(sparse) && !is_open(pair[0]) && !is_open(pair[1]));
	ck_assert_uint_eq(threads(), 1);
	closer_stop();
}
END_TEST

/* More than wait there at once, and again after the end. */
START_TEST(every_one_is_closed_at_last)
{
	unsigned n_fds = suite_open_fds();
	int large = memfd_of(LARGE_BYTES);

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 1000; i++)
			closer_close(fcntl(large, F_DUPFD_CLOEXEC, 3));
		closer_stop();
		ck_assert_uint_eq(suite_open_fds(), n_fds + 1);
		ck_assert_uint_eq(threads(), 1);
	}
	closer_close(large);
	closer_stop();
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

/* Nobody has to ask. */
START_TEST(it_goes_by_itself)
{
	int large = memfd_of(LARGE_BYTES), pair[2];
	struct pollfd p;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	closer_close(large);
	ck_assert_int_eq(write(pair[1], "unread", 6), 6);
	closer_close_socket(pair[0]);
	p = (struct pollfd){.fd = pair[1]};
	/* hung up, since what was not read is gone */
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	while (is_open(large))
		sched_yield();
	close(pair[1]);
	ck_assert_uint_eq(threads(), 2);
	closer_stop();
}
END_TEST

SUITE_MAIN("closer", what_costs_nothing_is_closed_at_once, every_one_is_closed_at_last,
	it_goes_by_itself)
