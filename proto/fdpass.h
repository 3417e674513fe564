/* File descriptors over Unix sockets, both ways, in order.
 *
 * What arrives is kept in a FIFO: a message takes its own from the front. Sent fds go with the
 * sendmsg() whose first byte is the first byte of their message. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proto/base.h"
#include "proto/limits.h"

enum {
	FDPASS_E_TRUNCATED = 1, /* a truncated control message: the peer's connection is over */
	FDPASS_E_TOO_MANY = 2,	/* more fds than the queue takes */
};

/* Room for one packet's worth; owner of what it holds. */
struct fdqueue {
	int fds[PROTO_PACKET_FDS];
	unsigned n;
	unsigned max; /* ≤ PROTO_PACKET_FDS */
};

void fdqueue_init(struct fdqueue *q, unsigned max);
/* What closes fds that came and that nobody takes: close(), if nothing else is said. */
void fdpass_set_close(void (*close_fd)(int fd));
/* Closes what it holds. */
void fdqueue_deinit(struct fdqueue *q);
/* Moves the first n to fds[]; the caller owns them. False, nothing moved, if there are fewer. */
must_check bool fdqueue_take(struct fdqueue *q, int *fds, unsigned n);

/* recvmsg() with MSG_CMSG_CLOEXEC and `flags`; received fds go behind q. Returns the number of
 * bytes (0: end of input, unless len is 0), -errno, and in *ret_condition 0 or an FDPASS_E_ (then
 * the fds were closed; the bytes count all the same). On a SEQPACKET socket a packet longer than
 * len is FDPASS_E_TRUNCATED too. */
must_check ssize_t fdpass_recv(
	int sock, void *bytes, size_t len, int flags, struct fdqueue *q, int *ret_condition);
/* Room for a packet, and what came. */
struct fdpass_packet {
	uint8_t *bytes;
	size_t len; /* of the room; then of the packet */
	struct fdqueue *q;
	int condition;
};

#define FDPASS_PACKETS 16u

/* The same for up to n packets of a SEQPACKET socket by one call, n at most FDPASS_PACKETS. Returns
 * how many came, at least 1 and if fewer than n there are no more, or -errno. */
must_check int fdpass_recv_packets(int sock, struct fdpass_packet *packets, unsigned n, int flags);
/* Packets that one call of fdpass_send_packets() sends, at most. */
#define FDPASS_SENDS 32u

/* Sends each of packets[n], without fds, on a SEQPACKET socket, with MSG_NOSIGNAL and `flags`.
 * Returns how many were sent, at least 1, or -errno. */
must_check int fdpass_send_packets(int sock, const struct iovec *packets, unsigned n, int flags);
/* sendmsg() with MSG_NOSIGNAL and `flags`, n_fds of them attached (0: plain). Bytes sent or -errno.
 * fds stay the caller's. */
must_check ssize_t fdpass_send(
	int sock, const struct iovec *iov, int n_iov, int flags, const int *fds, unsigned n_fds);
