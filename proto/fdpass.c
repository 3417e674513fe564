/* Rules that the kernel's behaviour gives:
 *
 * - the control buffer is announced with CMSG_LEN, not CMSG_SPACE: the kernel fills alignment
 * padding with one more fd if it can;
 * - near the limit of open files it passes what still fits, or no control message at all, and says
 * MSG_CTRUNC; the bytes arrive all the same. So fds may be there although the message is broken:
 * they are closed;
 * - a receive on a stream stops where the next sendmsg() with fds begins, so one call brings one
 * sender's array.
 */
#include "proto/fdpass.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PROTO_PACKET_FDS * sizeof(int))];
};

static void close_plainly(int fd)
{
	fd_close(fd);
}

static void (*drop)(int fd) = close_plainly;

void fdpass_set_close(void (*close_fd)(int fd))
{
	drop = close_fd;
}

void fdqueue_init(struct fdqueue *q, unsigned max)
{
	assert(max <= PROTO_PACKET_FDS);
	q->n = 0;
	q->max = max;
}

void fdqueue_deinit(struct fdqueue *q)
{
	while (q->n > 0)
		drop(q->fds[--q->n]);
}

bool fdqueue_take(struct fdqueue *q, int *fds, unsigned n)
{
	if (n > q->n)
		return false;
	if (n == 0)
		return true;
	memcpy(fds, q->fds, n * sizeof(int));
	q->n -= n;
	memmove(q->fds, q->fds + n, q->n * sizeof(int));
	return true;
}

/* Every fd in the control messages goes behind q, or is closed if q is full or NULL. Returns how
 * many were closed. */
static unsigned collect(struct msghdr *msg, struct fdqueue *q)
{
	unsigned n_closed = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(msg); cm; cm = CMSG_NXTHDR(msg, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (q && q->n < q->max) {
				q->fds[q->n++] = fd;
			} else {
				drop(fd);
				n_closed++;
			}
		}
	}
	return n_closed;
}

/* The fds of one received message: all into q, or none and why. */
static int take_fds(struct msghdr *msg, struct fdqueue *q)
{
	unsigned before = q->n;

	if (msg->msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
		collect(msg, NULL);
		return FDPASS_E_TRUNCATED;
	}
	if (collect(msg, q) == 0)
		return 0;
	while (q->n > before)
		drop(q->fds[--q->n]);
	return FDPASS_E_TOO_MANY;
}

static struct msghdr message_into(struct iovec *iov, union control *control)
{
	return (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = control->bytes,
		.msg_controllen = CMSG_LEN(PROTO_PACKET_FDS * sizeof(int)),
	};
}

/* What came beside the bytes. 0, or an FDPASS_E_. */
static int take_rest(struct msghdr *msg, struct fdqueue *q)
{
	return msg->msg_controllen > 0 || msg->msg_flags & (MSG_CTRUNC | MSG_TRUNC)
		       ? take_fds(msg, q)
		       : 0;
}

ssize_t fdpass_recv(
	int sock, void *bytes, size_t len, int flags, struct fdqueue *q, int *ret_condition)
{
	struct iovec iov = {.iov_base = bytes, .iov_len = len};
	union control control;
	struct msghdr msg = message_into(&iov, &control);
	ssize_t n;

	n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	*ret_condition = take_rest(&msg, q);
	return n;
}

int fdpass_recv_packets(int sock, struct fdpass_packet *packets, unsigned n, int flags)
{
	union control controls[FDPASS_PACKETS];
	struct mmsghdr msgs[FDPASS_PACKETS];
	struct iovec iovs[FDPASS_PACKETS];
	int n_came;

	assert(n <= FDPASS_PACKETS);
	for (unsigned i = 0; i < n; i++) {
		iovs[i] = (struct iovec){packets[i].bytes, packets[i].len};
		msgs[i].msg_hdr = message_into(&iovs[i], &controls[i]);
	}
	n_came = recvmmsg(sock, msgs, n, flags | MSG_CMSG_CLOEXEC, NULL);
	if (n_came < 0)
		return -errno;
	for (int i = 0; i < n_came; i++) {
		packets[i].len = msgs[i].msg_len;
		packets[i].condition = take_rest(&msgs[i].msg_hdr, packets[i].q);
	}
	return n_came;
}

ssize_t fdpass_send(
	int sock, const struct iovec *iov, int n_iov, int flags, const int *fds, unsigned n_fds)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)n_iov,
	};
	union control control;
	ssize_t n;

	if (n_fds > PROTO_PACKET_FDS)
		return -EINVAL;
	if (n_fds == 0 && n_iov == 1) { /* the kernel has less to look at */
		n = send(sock, iov->iov_base, iov->iov_len, flags | MSG_NOSIGNAL);
		return n < 0 ? -errno : n;
	}
	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = control.align.cmsg_len;
	}
	n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

int fdpass_send_packets(int sock, const struct iovec *packets, unsigned n, int flags)
{
	struct mmsghdr msgs[FDPASS_SENDS];
	ssize_t sent;
	int r;

	assert(n > 0 && n <= FDPASS_SENDS);
	if (n == 1) {
		sent = fdpass_send(sock, packets, 1, flags, NULL, 0);
		return sent < 0 ? (int)sent : 1;
	}
	for (unsigned i = 0; i < n; i++)
		msgs[i] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = (struct iovec *)&packets[i], .msg_iovlen = 1}};
	r = sendmmsg(sock, msgs, n, flags | MSG_NOSIGNAL);
	return r < 0 ? -errno : r;
}
