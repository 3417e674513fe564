/* What waits to be sent to one client: bytes, pieces of memfds, and fds that travel with a message.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/core/core.h"
#include "proto/base.h"

struct outbox_chunk;
TAILQ_HEAD(outbox_chunks, outbox_chunk);

struct outbox {
	struct outbox_chunks chunks;
	struct core *core;
	struct account *account; /* whose bytes these are */
	uint64_t bytes;		 /* of memory, whatever part of it is in use */
	uint64_t charged;
	struct outbox_chunk *begin; /* the last chunk when the message was begun; NULL: none */
	size_t begin_len;
	unsigned unread_fds; /* sent, and not known to be read: charged to the account */
	bool is_blocked_by_share; /* the uid has too many unread fds in all: nothing tells when it has less */
};

/* Bytes in memory that are not charged one by one: the connection's own charge covers them. */
#define OUTBOX_FREE_BYTES (64u * 1024u)

enum {
	OUTBOX_E_QUOTA = 1, /* the owner's quota does not hold it */
	OUTBOX_AGAIN = 2,   /* of outbox_flush(): the socket takes no more now */
};

void outbox_init(struct outbox *o, struct core *core, struct account *account);
void outbox_deinit(struct outbox *o);
/* What was not sent never will be; what was is still counted. */
void outbox_drop(struct outbox *o);

/* A message is begun, added to, and ended by the next begin; one that is a single outbox_bytes()
 * needs no begin. -ENOMEM, OUTBOX_E_QUOTA: nothing changed. Futures named here are pinned until
 * their part is sent, so what it holds stays charged to their owner.
 *
 * With a carrier: the fds of its value travel with the message's first byte; n bytes in memory will
 * follow. */
must_check int outbox_begin(struct outbox *o, struct future *carrier, size_t n);
must_check int outbox_bytes(struct outbox *o, const void *bytes, size_t n);
/* The first len bytes of a memfd of f's value, read when the socket has room. */
must_check int outbox_file(struct outbox *o, struct future *f, int fd, uint64_t len);
/* Takes back what was added since the begin: the message could not be completed. */
void outbox_undo(struct outbox *o);
bool outbox_is_empty(const struct outbox *o);
/* 0: all is sent; OUTBOX_AGAIN; -errno: the peer is gone. */
must_check int outbox_flush(struct outbox *o, int sock);
/* Counts the fds that the peer has read meanwhile. Returns whether some are left. */
bool outbox_look(struct outbox *o, int sock);
