/* A pending waits in its connection's list; when it can be written it stands in the connection's
 * ready list instead, and is encoded when the connection has room. One heap holds the times of all
 * of them.
 *
 * There is one for each future that is queued and to be delivered, so its type is a byte.
 */
#include "daemon/pending.h"

#include <assert.h>

#include "daemon/conn.h"

const struct pending_ops *pending_type_ops(enum pending_type type)
{
	static const struct pending_ops *const of_type[_PENDING_TYPE_MAX] = {
#define X(TYPE, ops) [PENDING_##TYPE] = &(ops),
		PENDING_TYPES(X)
#undef X
	};

	return of_type[type];
}

static const struct pending_ops *ops_of(const struct pending *p)
{
	return pending_type_ops(p->type);
}

/* NULL: it has none. */
static struct heap_node *timer_of(struct pending *p)
{
	uint16_t at = ops_of(p)->timer_at;

	return at ? (struct heap_node *)(void *)((char *)p + at) : NULL;
}

static struct pending *of_timer(struct heap_node *node)
{
	return (struct pending *)(void *)((char *)node - node->owner);
}

static struct pendings *list_of(const struct pending *p)
{
	return p->is_ready ? &p->conn->ready : &p->conn->pendings;
}

static void set_ready(struct pending *p, bool is_ready)
{
	TAILQ_REMOVE(list_of(p), p, in_conn);
	p->is_ready = is_ready;
	TAILQ_INSERT_TAIL(list_of(p), p, in_conn);
}

int pending_add(
	struct pending *p, struct conn *c, enum pending_type type, struct refusal *ret_refusal)
{
	const struct pending_ops *ops = pending_type_ops(type);
	int r;

	r = account_take_one(c->account, ACCOUNT_WAITS, 1, ret_refusal);
	if (r)
		return r;
	r = ops->timer_at ? heap_reserve(&c->conns->timers, c->conns->n_timers + 1) : 0;
	if (r < 0) {
		account_give_one(c->account, ACCOUNT_WAITS, 1);
		return r;
	}
	c->conns->n_pendings++;
	c->conns->n_timers += ops->timer_at > 0;
	p->conn = c;
	p->type = type;
	p->is_ready = false;
	TAILQ_INSERT_TAIL(&c->pendings, p, in_conn);
	return 0;
}

void pending_remove(struct pending *p, bool is_closing)
{
	const struct pending_ops *ops = ops_of(p);
	struct conn *c = p->conn;

	if (ops->timer_at) {
		heap_clear(&c->conns->timers, timer_of(p));
		c->conns->n_timers--;
	}
	TAILQ_REMOVE(list_of(p), p, in_conn);
	c->conns->n_pendings--;
	account_give_one(c->account, ACCOUNT_WAITS, 1);
	ops->free(p, is_closing);
}

void pending_ready(struct pending *p)
{
	if (p->is_ready)
		return;
	set_ready(p, true);
	conn_touch(p->conn);
}

void pending_write(struct pending *p)
{
	const struct pending_ops *ops = ops_of(p);
	struct conn *c = p->conn;

	if (ops->is_lasting) {
		set_ready(p, false);
		ops->write(p);
		return;
	}
	ops->write(p);
	if (c->state != CONN_CLOSED)
		pending_remove(p, false);
}

void pending_set_time(struct pending *p, uint64_t at_us)
{
	struct heap_node *timer = timer_of(p);

	assert(timer);
	if (at_us == HEAP_NEVER) {
		heap_clear(&p->conn->conns->timers, timer);
		return;
	}
	timer->owner = ops_of(p)->timer_at;
	heap_set(&p->conn->conns->timers, timer, at_us, 0);
}

void pendings_turn(struct heap *timers, uint64_t now_us)
{
	struct heap_node *node;

	while ((node = heap_first(timers)) && node->key <= now_us) {
		struct pending *p = of_timer(node);

		heap_clear(timers, node);
		ops_of(p)->on_time(p, now_us);
	}
}
