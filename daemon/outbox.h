/* What waits to be sent to one client: bytes, pieces of memfds, and fds that travel with a message.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/core/account.h"
#include "daemon/payload.h"
#include "proto/base.h"

struct outbox_chunk;
TAILQ_HEAD(outbox_chunks, outbox_chunk);

struct outbox {
	struct outbox_chunks chunks;
	struct account *account; /* whose bytes these are */
	size_t bytes;		 /* in memory, unsent */
	uint64_t file_bytes;	 /* in memfds, unsent */
	uint64_t charged;
	unsigned unread_fds; /* sent, and not known to be read: charged to the account */
	bool is_blocked_by_share; /* the uid has too many unread fds in all: nothing tells when it has less */
};

/* Bytes in memory that are not charged one by one: the connection's own charge covers them. */
#define OUTBOX_FREE_BYTES (64u * 1024u)

enum {
	OUTBOX_E_QUOTA = 1, /* the owner's quota does not hold it */
	OUTBOX_AGAIN = 2,   /* of outbox_flush(): the socket takes no more now */
};

void outbox_init(struct outbox *o, struct account *account);
void outbox_deinit(struct outbox *o);

/* A message is begun, added to, and ended by the next begin. With fds: those of `carrier` travel
 * with its first byte. -ENOMEM, OUTBOX_E_QUOTA: nothing changed. */
must_check int outbox_begin(struct outbox *o, struct payload *carrier);
must_check int outbox_bytes(struct outbox *o, const void *bytes, size_t n);
/* A piece of one of p's memfds, read when the socket has room. */
must_check int outbox_file(
	struct outbox *o, struct payload *p, int fd, uint64_t offset, uint64_t len);
bool outbox_is_empty(const struct outbox *o);
/* 0: all is sent; OUTBOX_AGAIN; -errno: the peer is gone. */
must_check int outbox_flush(struct outbox *o, int sock);
/* Counts the fds that the peer has read meanwhile. */
void outbox_look(struct outbox *o, int sock);
