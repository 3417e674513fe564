/* What the daemon closes beside its loop. */
#include "daemon/closer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
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

/* Besides those that a sanitizer has. */
static unsigned threads_before;

static unsigned threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2 - threads_before;
}

static void *nothing(void *unused)
{
	return unused;
}

/* The first thread makes a sanitizer start its own. */
static void set_up(void)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, nothing, NULL), 0);
	pthread_join(t, NULL);
	threads_before = 0;
	threads_before = threads() - 1;
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

/* Its close() waits for a peer that never reads. */
static int lingering(int *ret_peer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger linger = {.l_onoff = 1, .l_linger = 3600};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const char bytes[4096];
	socklen_t size = sizeof(address);

	ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
	*ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(*ret_peer, 0);
	close(listener);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

/* More of them than wait there at once. */
START_TEST(a_socket_that_lingers_stops_nobody)
{
	unsigned n_fds = suite_open_fds();
	int peers[300];

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		closer_close(lingering(&peers[i]));
	closer_stop();
	ck_assert_uint_eq(threads(), 2);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		close(peers[i]);
	closer_stop();
	ck_assert_uint_eq(threads(), 1);
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

SUITE_MAIN_WITH("closer", set_up, NULL, what_costs_nothing_is_closed_at_once,
	every_one_is_closed_at_last, it_goes_by_itself, a_socket_that_lingers_stops_nobody)
