/* An interest in the end is an await. An interest in an object, which is final from birth, is a
 * hold: it pins nothing, since it is the object that takes it along, and lasts as long as both.
 */
#include "daemon/subscription.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/extra.h"

/* ---- an interest in the end ---- */

static void subscription_write(struct pending *p)
{
	struct await *a = container_of(p, struct await, pending);

	if (a->pending.kinds & SUBSCRIPTION_CALL)
		reply_outcome(await_to(a), await_future(a));
	else if (a->pending.kinds & SUBSCRIPTION_DELIVER)
		reply_final(p->conn, await_future(a));
}

static void subscription_free(struct pending *p, bool is_closing)
{
	struct await *a = container_of(p, struct await, pending);
	struct core *core = p->conn->conns->core;
	struct future *f = await_future(a);

	core_unwait(core, &a->waiter);
	if (is_closing && (a->pending.kinds & SUBSCRIPTION_ATTACHED) &&
		!future_state_is_final(f->state))
		(void)core_cancel(core, f, CANCEL_TERM, p->conn->uid, clock_now_us());
	if (a->pending.kinds & SUBSCRIPTION_CALL)
		core_release(core, f);
	await_free(p, is_closing);
}

static struct slab memory = SLAB_INIT(sizeof(struct await));

const struct pending_ops subscription_ops = {
	.write = subscription_write,
	.free = subscription_free,
	.memory = &memory,
};

/* ---- an interest in an object ---- */

struct hold {
	struct pending pending;
	struct future *future;
};

static void hold_free(struct pending *p, bool is_closing)
{
	struct hold *h = container_of(p, struct hold, pending);

	future_extra(h->future)->hold = NULL;
	if (is_closing)
		core_release(p->conn->conns->core, h->future);
	free(h);
}

const struct pending_ops hold_ops = {.free = hold_free};

static struct pending *hold_new(struct request *r, struct future *f)
{
	struct hold *h = calloc(1, sizeof(*h));
	struct refusal why;
	int e;

	e = h ? pending_add(&h->pending, r->conn, PENDING_HOLD, &why) : -ENOMEM;
	if (e) {
		free(h);
		request_fail_charge(r, e, &why);
		return NULL;
	}
	/* Put again, by its key: it goes with the connection that said so last. */
	if (future_extra(f)->hold)
		pending_remove(future_extra(f)->hold, false);
	h->future = f;
	future_extra(f)->hold = &h->pending;
	return &h->pending;
}

struct pending *subscription_new(struct request *r, struct future *f, unsigned kinds)
{
	struct await *a;

	if (kinds & SUBSCRIPTION_HOLD)
		return hold_new(r, f);
	a = await_new(r, f, PENDING_SUBSCRIPTION, sizeof(*a));
	if (!a)
		return NULL;
	a->pending.kinds = (uint8_t)kinds;
	return &a->pending;
}
