/* A waiter with somebody to call. The shell's every waiter is one. */
#pragma once

#include "daemon/core/future.h"
#include "proto/base.h"

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
