/* A pending waits in its connection's list; when it can be written it stands in the connection's
 * ready list instead, and is encoded when the connection has room. One heap holds the times of all
 * of them.
 */
#include "daemon/pending.h"

#include <assert.h>

#include "daemon/conn.h"

/* NULL: it has none. */
static struct heap_node *timer_of(struct pending *p)
{
	return p->ops->timer_at ? (struct heap_node *)(void *)((char *)p + p->ops->timer_at) : NULL;
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

int pending_add(struct pending *p, struct conn *c, const struct pending_ops *ops,
	struct refusal *ret_refusal)
{
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
	p->ops = ops;
	p->is_ready = false;
	TAILQ_INSERT_TAIL(&c->pendings, p, in_conn);
	return 0;
}

void pending_remove(struct pending *p, bool is_closing)
{
	struct conn *c = p->conn;

	if (timer_of(p))
		heap_clear(&c->conns->timers, timer_of(p));
	TAILQ_REMOVE(list_of(p), p, in_conn);
	c->conns->n_pendings--;
	c->conns->n_timers -= p->ops->timer_at > 0;
	account_give_one(c->account, ACCOUNT_WAITS, 1);
	p->ops->free(p, is_closing);
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
	struct conn *c = p->conn;

	if (p->ops->is_lasting) {
		set_ready(p, false);
		p->ops->write(p);
		return;
	}
	p->ops->write(p);
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
	timer->owner = p->ops->timer_at;
	heap_set(&p->conn->conns->timers, timer, at_us, 0);
}

void pendings_turn(struct heap *timers, uint64_t now_us)
{
	struct heap_node *node;

	while ((node = heap_first(timers)) && node->key <= now_us) {
		struct pending *p = of_timer(node);

		heap_clear(timers, node);
		p->ops->on_time(p, now_us);
	}
}
