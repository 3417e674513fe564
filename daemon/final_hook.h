/* A waiter with somebody to call. The shell's every waiter is one, but those of awaits, which are
 * many and all alike. */
#pragma once

#include "daemon/core/future.h"
#include "proto/base.h"

/* What those hear who watch. */
enum future_news {
	NEWS_STATE,    /* another one, which is not final */
	NEWS_PROGRESS, /* of its run */
	NEWS_OUTPUT,   /* its first byte */
	NEWS_RUN_OVER, /* another one follows: its progress and output are about to go */
};

struct final_hook;
struct final_hook_ops {
	void (*on_final)(struct final_hook *h, struct future *f);
	/* Only of one that watches. */
	void (*on_news)(struct final_hook *h, struct future *f, enum future_news news);
};

struct final_hook {
	struct waiter waiter;
	const struct final_hook_ops *ops;
};

/* await.c */
void await_on_final(struct waiter *w);

/* For core_ops.tell. */
static inline void final_hook_tell(struct waiter *w, struct future *f)
{
	struct final_hook *h = container_of(w, struct final_hook, waiter);

	if (w->is_await)
		await_on_final(w);
	else
		h->ops->on_final(h, f);
}

/* For core_ops.moved. */
static inline void final_hook_moved(struct waiter *w, struct future *f)
{
	struct final_hook *h = container_of(w, struct final_hook, waiter);

	h->ops->on_news(h, f, NEWS_STATE);
}

/* For all who watch f; free when nobody does. */
static inline void final_hook_news(struct future *f, enum future_news news)
{
	struct waiter *w = NULL;

	while ((w = future_next_watcher(f, w))) {
		struct final_hook *h = container_of(w, struct final_hook, waiter);

		h->ops->on_news(h, f, news);
	}
}
