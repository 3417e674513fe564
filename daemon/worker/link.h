/* One end of a SEQPACKET pair: packets in, messages out of them, answers collected into packets.
 *
 * The worker speaks to the daemon over one, the zygote over another. */
#pragma once

#include <stdbool.h>

#include "proto/fdpass.h"
#include "proto/rpc.h"

/* Who dies or is told to end during a job still holds the runs behind it: their IDs, at most. */
#define LINK_CANCELS 4096u

/* A packet that was received; its fds go to its messages in turn. */
struct packet {
	uint8_t *bytes; /* PROTO_PACKET_BYTES of memory */
	size_t len;
	size_t pos; /* where the next message begins */
	struct fdqueue fds;
};

struct message {
	struct rpc rpc;
	unsigned n_fds; /* how many of the packet's fds are its own */
};

struct link {
	int fd;		      /* borrowed */
	struct packet packet; /* being worked on */
	struct packet early;  /* received while listening, to be worked on next */
	bool has_early;
	unsigned n_cancelled;
	uint64_t cancelled[LINK_CANCELS]; /* named by `cancel` since the packet came */
	struct buf out;			  /* whole messages not sent yet */
	int out_fds[PROTO_PACKET_FDS];	  /* owned */
	unsigned n_out_fds;
};

must_check int link_init(struct link *l, int fd);
void link_deinit(struct link *l);
/* In a forked process: the same memory for another link. Its fds stay open, if there are any. */
void link_renew(struct link *l, int fd);

/* Blocks for the next packet. 1, 0 at the end of file, -errno; -EPROTO if it is no packet of ours.
 * Fds that the last packet's messages did not take are closed. */
must_check int link_receive(struct link *l);
/* Does this error say that the daemon closed its end? As good as the end of file: it wants no more.
 */
bool link_is_closed(int r);
/* The packet's next message: 1, 0 behind the last, -EPROTO. */
must_check int link_next(struct link *l, struct message *ret);
/* The packet has a message that was not given out. */
static inline bool link_has_next(const struct link *l)
{
	return l->packet.pos < l->packet.len;
}
/* Those that were not; empty, too, while there are fds to be given to messages. */
struct cursor link_rest(const struct link *l);
/* A message of it, which ends there, was given out. */
void link_step(struct link *l, const uint8_t *end);
/* The fds that belong to a message; the caller owns them. -EPROTO if the packet brought fewer. */
must_check int link_take_fds(struct link *l, const struct message *m, int *fds);
/* After the bell: looks at the link without blocking and notes what `cancel` names. */
void link_listen(struct link *l);
bool link_is_cancelled(const struct link *l, uint64_t id);

/* Before packing a message with n_fds fds: sends what waits if there would be no room beside it. */
must_check int link_make_room(struct link *l, size_t bytes, unsigned n_fds);
/* Takes an fd over for the message being packed. */
void link_attach(struct link *l, int fd);
static inline bool link_has_out(const struct link *l)
{
	return buf_used(&l->out) > 0;
}
/* Sends what waits. Blocks unless flags say MSG_DONTWAIT; then it is all or -EAGAIN. */
must_check int link_flush(struct link *l, int flags);
/* At the end of a worker, also from a signal handler: what waits goes out if it can at once. */
void link_flush_dying(struct link *l);

/* An error answer without data, as far as it can be sent. */
must_check int link_answer_error(
	struct link *l, uint32_t msgid, const char *code, const char *message);
