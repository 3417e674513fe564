/* From the submit to the last byte: a subscription waits in its future's list until that is final,
 * then stands in its connection's ready list until there is room to write. It pins the future in
 * memory all the time, so that a release or a time to live that comes between loses nothing.
 */
#include "daemon/subscription.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/extra.h"

struct subscription {
	struct pending pending;
	struct final_hook hook;
	struct core *core;
	struct future *future; /* pinned; a held object is not, but it takes us with it */
	struct reply_to to;
	unsigned kinds;
};

static void write_final(struct pending *p)
{
	struct subscription *s = container_of(p, struct subscription, pending);

	if (s->kinds & SUBSCRIPTION_CALL)
		reply_outcome(s->to, s->future);
	else
		reply_final(p->conn, s->future);
}

static void subscription_free(struct pending *p, bool is_closing)
{
	struct subscription *s = container_of(p, struct subscription, pending);
	struct future *f = s->future;

	if (s->kinds & SUBSCRIPTION_HOLD) {
		f->extra->hold = NULL;
		if (is_closing)
			core_release(s->core, f);
		free(s);
		return;
	}
	core_unwait(s->core, &s->hook.waiter);
	if (is_closing && (s->kinds & SUBSCRIPTION_ATTACHED) && !future_state_is_final(f->state))
		(void)core_cancel(s->core, f, CANCEL_TERM, p->conn->uid, clock_now_us());
	if (s->kinds & SUBSCRIPTION_CALL)
		core_release(s->core, f);
	core_unpin(s->core, f);
	free(s);
}

static const struct pending_ops ops = {
	.write = write_final,
	.free = subscription_free,
};

static void on_final(struct final_hook *h, struct future *f)
{
	struct subscription *s = container_of(h, struct subscription, hook);

	if (s->kinds & (SUBSCRIPTION_DELIVER | SUBSCRIPTION_CALL))
		pending_ready(&s->pending);
	else
		pending_remove(&s->pending, false);
}

int subscription_new(struct core *core, struct conn *c, struct future *f, unsigned kinds,
	struct reply_to to, struct pending **ret, struct refusal *ret_refusal)
{
	struct subscription *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = pending_add(&s->pending, c, &ops, ret_refusal);
	if (r) {
		free(s);
		return r;
	}
	s->core = core;
	s->future = f;
	s->kinds = kinds;
	s->to = to;
	s->hook.on_final = on_final;
	*ret = &s->pending;
	if (kinds & SUBSCRIPTION_HOLD) {
		f->extra->hold = &s->pending;
		return 0;
	}
	core_pin(f);
	core_wait(core, f, &s->hook.waiter);
	return 0;
}
