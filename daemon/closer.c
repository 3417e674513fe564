/* The one thread beside the loop's. It begins with the first large memfd, knows nothing but numbers
 * of fds, and touches no other memory of the daemon. What it has not closed yet is of no account
 * any more; when that becomes much, the loop closes for itself, and so waits.
 *
 * Files that clients gave commands are closed here too.
 *
 * Nobody can tell which reference is the last: one memfd may go with thousands of jobs. To wake the
 * thread for each would cost more than most closes, so it naps before it closes a batch. By then
 * the answers are on their way that the pages would have kept waiting, and the sender, who may have
 * lost its processor between sending an fd and closing its own, has closed it: else the last
 * reference is the sender's, who frees all pages before it looks for the answer.
 */
#include "daemon/closer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <linux/sockios.h>

#include "proto/base.h"

/* In pages that there are: holes cost nothing. */
#define LARGE_BYTES (512u * 1024u)
#define BLOCK_BYTES 512u
#define FDS_MAX	    256u
#define NAP_NS	    10000000u
/* At the end of the daemon. What closes for longer dies with the process. */
#define STOP_NS 2000000000u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* for the thread */
	pthread_cond_t over;	/* for who waits for its end */
	pthread_t thread;
	bool is_running, is_idle, is_stopping, is_over;
	unsigned n;
	int fds[FDS_MAX];
} closer = {.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.over = PTHREAD_COND_INITIALIZER};

/* With the lock held; without it meanwhile. */
static void close_batch(void)
{
	int fds[FDS_MAX];
	unsigned n = closer.n;

	memcpy(fds, closer.fds, n * sizeof(*fds));
	closer.n = 0;
	pthread_mutex_unlock(&closer.lock);
	while (n > 0)
		fd_close(fds[--n]);
	pthread_mutex_lock(&closer.lock);
}

static struct timespec in_ns(uint64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += (uint64_t)t.tv_nsec;
	t.tv_sec += (time_t)(ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	return t;
}

static void nap(void)
{
	struct timespec until = in_ns(NAP_NS);
	int r = 0;

	while (r == 0 && closer.n < FDS_MAX / 2 && !closer.is_stopping)
		r = pthread_cond_clockwait(&closer.changed, &closer.lock, CLOCK_MONOTONIC, &until);
}

static void *run(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&closer.lock);
	while (closer.n > 0 || !closer.is_stopping) {
		if (closer.n > 0) {
			nap();
			close_batch();
			continue;
		}
		closer.is_idle = true;
		pthread_cond_wait(&closer.changed, &closer.lock);
		closer.is_idle = false;
	}
	closer.is_over = true;
	pthread_cond_signal(&closer.over);
	pthread_mutex_unlock(&closer.lock);
	return NULL;
}

/* Signals are the loop's. */
static bool start(void)
{
	sigset_t all, before;

	if (closer.is_running)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	closer.is_running = pthread_create(&closer.thread, NULL, run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return closer.is_running;
}

/* The loop closes it although it may take long: at least it does not wait for a peer. */
static void close_now(int fd)
{
	const struct linger none = {0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	fd_close(fd);
}

static void close_soon(int fd)
{
	bool is_taken;

	if (!start()) {
		close_now(fd);
		return;
	}
	pthread_mutex_lock(&closer.lock);
	is_taken = closer.n < FDS_MAX;
	if (is_taken)
		closer.fds[closer.n++] = fd;
	if (closer.is_idle || closer.n == FDS_MAX / 2)
		pthread_cond_signal(&closer.changed);
	closer.is_idle = false;
	pthread_mutex_unlock(&closer.lock);
	if (!is_taken)
		close_now(fd);
}

/* Unread there may be fds. What has no such number may have anything. */
static bool has_unread(int fd)
{
	int unread;

	return ioctl(fd, SIOCINQ, &unread) < 0 || unread > 0;
}

/* One that lingers (SO_LINGER) waits in close() until its peer has all, for as long as its owner
 * says. Whether it does can change at any time; those of this host alone never do. */
static bool socket_may_take_long(int fd)
{
	socklen_t size = sizeof(int);
	int domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX ||
	       has_unread(fd);
}

/* A file system that is no memory may have to write first, or be a process of the client's own that
 * never answers: so it is not even asked for the size. */
static bool may_take_long(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_BLOCKS, &st) < 0)
		return false;
	if (S_ISREG(st.stx_mode))
		return fcntl(fd, F_GET_SEALS) < 0 || st.stx_blocks >= LARGE_BYTES / BLOCK_BYTES;
	return S_ISDIR(st.stx_mode) || (S_ISSOCK(st.stx_mode) && socket_may_take_long(fd));
}

void closer_close(int fd)
{
	if (fd >= 0 && may_take_long(fd))
		close_soon(fd);
	else
		fd_close(fd);
}

void closer_close_socket(int fd)
{
	if (fd >= 0 && has_unread(fd))
		close_soon(fd);
	else
		fd_close(fd);
}

void closer_stop(void)
{
	struct timespec until = in_ns(STOP_NS);
	bool is_over;
	int r = 0;

	if (!closer.is_running)
		return;
	pthread_mutex_lock(&closer.lock);
	closer.is_stopping = true;
	pthread_cond_signal(&closer.changed);
	while (r == 0 && !closer.is_over)
		r = pthread_cond_clockwait(&closer.over, &closer.lock, CLOCK_MONOTONIC, &until);
	is_over = closer.is_over;
	if (is_over)
		closer.is_running = closer.is_stopping = closer.is_over = false;
	pthread_mutex_unlock(&closer.lock);
	if (is_over)
		pthread_join(closer.thread, NULL);
}
