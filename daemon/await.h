/* What a client is owed once one future is final: a pending that pins the future meanwhile. */
#pragma once

#include "daemon/final_hook.h"
#include "daemon/reply.h"
#include "daemon/request.h"

/* The first member of what is owed. */
struct await {
	struct pending pending;
	struct waiter waiter;
};

/* Pinned: neither a release nor its time to live takes it. */
static inline struct future *await_future(const struct await *a)
{
	return a->waiter.future;
}

/* Where its answer goes. */
static inline struct reply_to await_to(const struct await *a)
{
	return (struct reply_to){a->pending.conn, a->pending.is_wanted, a->pending.msgid};
}

/* `size` bytes that begin with an await, zero behind it. It is ready when f is final, at once if it
 * is already. Its type's free is or ends with await_free(). NULL: r was refused. */
void *await_new(struct request *r, struct future *f, enum pending_type type, size_t size);
/* Lets the future go, then the memory. */
void await_free(struct pending *p, bool is_closing);
