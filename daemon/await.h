/* What a client is owed once one future is final: a pending that pins the future meanwhile. */
#pragma once

#include "daemon/reply.h"
#include "daemon/request.h"

/* A waiter with somebody to call. The shell's every waiter is one. */
struct final_hook {
	struct waiter waiter;
	void (*on_final)(struct final_hook *h, struct future *f);
};

/* For core_ops.tell. */
static inline void final_hook_tell(struct waiter *w, struct future *f)
{
	struct final_hook *h = container_of(w, struct final_hook, waiter);

	h->on_final(h, f);
}

/* The first member of what is owed. */
struct await {
	struct pending pending; /* of to.conn */
	struct final_hook hook;
	struct future *future; /* pinned: neither a release nor its time to live takes it */
	struct reply_to to;
};

/* `size` bytes that begin with an await, zero behind it. It is ready when f is final, at once if it
 * is already. ops->free is or ends with await_free(). NULL: r was refused. */
void *await_new(struct request *r, struct future *f, const struct pending_ops *ops, size_t size);
/* Lets the future go, then the memory. */
void await_free(struct pending *p, bool is_closing);
