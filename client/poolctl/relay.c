#include "client/poolctl/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define COPY_BYTES (64u * 1024u)

/* 0 at the end of what comes, or errno. */
static int copy(int from, int to)
{
	static char bytes[COPY_BYTES];

	for (;;) {
		ssize_t n = read(from, bytes, sizeof(bytes));

		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			poll(&(struct pollfd){.fd = from, .events = POLLIN}, 1, -1);
			continue;
		}
		if (n <= 0)
			return n < 0 ? errno : 0;
		for (ssize_t done = 0, w; done<n; done += w> 0 ? w : 0) {
			w = write(to, bytes + done, (size_t)(n - done));
			if (w < 0 && errno != EINTR && errno != EAGAIN)
				return errno;
			if (w < 0)
				poll(&(struct pollfd){.fd = to, .events = POLLOUT}, 1, -1);
		}
	}
}

/* Nothing but its two ends stays open in it; a signal that ends the job ends it, too, by the end of
 * file. */
_Noreturn static void be_relay(int from, int to)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (dup2(from, 0) < 0 || dup2(to, 1) < 0)
		_exit(errno);
	close_range(3, ~0u, 0);
	_exit(copy(0, 1));
}

static pid_t start(int from, int to, bool dies_with_parent)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	if (dies_with_parent && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(EIO);
	be_relay(from, to);
}

static pid_t start_with_pipe(int file, bool is_from, int *ret_end)
{
	int ends[2], ours, theirs;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	ours = ends[is_from ? 0 : 1];
	theirs = ends[is_from ? 1 : 0];
	pid = is_from ? start(file, theirs, true) : start(theirs, file, false);
	fd_close(theirs);
	if (pid < 0)
		fd_close(ours);
	else
		*ret_end = ours;
	return pid;
}

pid_t relay_from(int from, int *ret_end)
{
	return start_with_pipe(from, true, ret_end);
}

pid_t relay_to(int to, int *ret_end)
{
	return start_with_pipe(to, false, ret_end);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

int relay_finish(pid_t pid, int signal_fd)
{
	cleanup_fd int pidfd = pidfd_open(pid, 0);
	struct pollfd fds[] = {
		{.fd = pidfd, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};

	while (pidfd >= 0 && poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
		;
	if (pidfd >= 0 && !fds[0].revents) {
		relay_stop(pid);
		return -EINTR;
	}
	return wait_for(pid);
}

void relay_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)!wait_for(pid);
}
