/* A connection's interest in the end of one future: `deliver`, `attached`, `call`. */
#pragma once

#include "daemon/reply.h"
#include "daemon/conn.h"
#include "daemon/core/core.h"
#include "proto/base.h"

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

enum subscription_kind {
	SUBSCRIPTION_DELIVER = 1,  /* a `final` notification */
	SUBSCRIPTION_ATTACHED = 2, /* cancelled if the connection closes first */
	SUBSCRIPTION_CALL = 4,	   /* an answer, then released */
	SUBSCRIPTION_HOLD =
		8, /* an object, which has an extra: released if the connection closes first */
};

/* 0, ACCOUNT_E_ with *ret_refusal, -ENOMEM. `to` is for calls. *ret is for pending_remove(), to
 * undo it in the same breath. */
must_check int subscription_new(struct core *core, struct conn *c, struct future *f, unsigned kinds,
	struct reply_to to, struct pending **ret, struct refusal *ret_refusal);
