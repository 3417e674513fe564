/* pidfd_open() and pidfd_send_signal() for a daemon under valgrind, which up to 3.20 answers these
 * system calls with ENOSYS: a helper outside makes the call and passes the fd back. Loaded by
 * LD_PRELOAD; the helper listens on the SEQPACKET socket POOLD_TEST_PIDFD_HELPER (valgrind.py). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/base.h"

/* What is asked: a pid to open, or a signal for the pidfd that comes along. */
struct question {
	int32_t pid;
	int32_t signo;
};

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int reach(void)
{
	const char *path = getenv("POOLD_TEST_PIDFD_HELPER");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || !path)
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	return take_fd(&fd);
}

static void attach(struct msghdr *m, union control *c, int fd)
{
	m->msg_control = c->bytes;
	m->msg_controllen = CMSG_LEN(sizeof(fd));
	c->header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&c->header), &fd, sizeof(fd));
}

/* -1 with errno, 0, or the fd that came with the answer. */
static int ask(struct question q, int pidfd)
{
	cleanup_fd int fd = reach();
	int32_t error = 0;
	int got = 0;
	union control out = {0}, in = {0};
	struct iovec question = {&q, sizeof(q)}, answer = {&error, sizeof(error)};
	struct msghdr m = {.msg_iov = &question, .msg_iovlen = 1};

	if (fd < 0)
		return -1;
	if (pidfd >= 0)
		attach(&m, &out, pidfd);
	if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		return -1;
	m = (struct msghdr){.msg_iov = &answer,
		.msg_iovlen = 1,
		.msg_control = in.bytes,
		.msg_controllen = sizeof(in.bytes)};
	if (recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != sizeof(error))
		return -1;
	if (error) {
		errno = error;
		return -1;
	}
	if (m.msg_controllen >= CMSG_LEN(sizeof(got)))
		memcpy(&got, CMSG_DATA(&in.header), sizeof(got));
	return got;
}

poold_public int pidfd_open(pid_t pid, unsigned int flags)
{
	return ask((struct question){.pid = pid}, -1);
}

poold_public int pidfd_send_signal(int pidfd, int signo, siginfo_t *info, unsigned int flags)
{
	return ask((struct question){.signo = signo}, pidfd);
}
