/* The packets of a worker's link that the daemon sends: `run`, `cancel` and `forget`. */
#pragma once

#include "daemon/core/core.h"
#include "proto/base.h"
#include "proto/buf.h"

/* Sends `run` for each of jobs[n] with its msgid; each whose place is 0 begins a packet. One that is
 * alone brings along its fds and the values that its input names; others have none. b is scratch
 * memory. 0 and *ret_n: so many were sent, whole packets, at least one; RUN_PACKET_E_LARGE of one,
 * or -errno. */
must_check int run_packets_send(
	int fd, struct buf *b, struct future *const *jobs, unsigned n, unsigned *ret_n);
enum {
	RUN_PACKET_E_LARGE = 1, /* more fds or bytes than a run may bring along */
};
must_check int cancel_packet_send(int fd, struct buf *b, uint64_t id);
must_check int forget_packet_send(int fd, struct buf *b, uint64_t id);
/* The msgid of a `run` whose first bytes these are. False: it is something else. */
must_check bool run_packet_msgid(const uint8_t *bytes, size_t len, uint32_t *ret);
/* As many bytes are enough for it, and for a whole `forget`. */
#define RUN_PACKET_HEAD_BYTES 32
/* The ID of a `forget`; 0: it is something else. */
uint64_t forget_packet_id(const uint8_t *bytes, size_t len);
