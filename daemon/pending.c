/* A pending waits in its connection's list; when it can be written it stands in the connection's
 * ready list too, and is encoded when the connection has room. One heap holds the times of all of
 * them.
 */
#include "daemon/pending.h"

#include "daemon/conn.h"

int pending_add(struct pending *p, struct conn *c, const struct pending_ops *ops,
	struct refusal *ret_refusal)
{
	int r;

	r = account_take_one(c->account, ACCOUNT_WAITS, 1, ret_refusal);
	if (r)
		return r;
	r = heap_reserve(&c->conns->timers, c->conns->n_pendings + 1);
	if (r < 0) {
		account_give_one(c->account, ACCOUNT_WAITS, 1);
		return r;
	}
	c->conns->n_pendings++;
	p->conn = c;
	p->ops = ops;
	TAILQ_INSERT_TAIL(&c->pendings, p, in_conn);
	return 0;
}

void pending_remove(struct pending *p, bool is_closing)
{
	struct conn *c = p->conn;

	heap_clear(&c->conns->timers, &p->timer);
	TAILQ_REMOVE(&c->pendings, p, in_conn);
	if (p->is_ready)
		TAILQ_REMOVE(&c->ready, p, in_ready);
	c->conns->n_pendings--;
	account_give_one(c->account, ACCOUNT_WAITS, 1);
	p->ops->free(p, is_closing);
}

void pending_ready(struct pending *p)
{
	if (p->is_ready)
		return;
	p->is_ready = true;
	TAILQ_INSERT_TAIL(&p->conn->ready, p, in_ready);
	conn_touch(p->conn);
}

void pending_write(struct pending *p)
{
	struct conn *c = p->conn;

	if (p->ops->is_lasting) {
		TAILQ_REMOVE(&c->ready, p, in_ready);
		p->is_ready = false;
		p->ops->write(p);
		return;
	}
	p->ops->write(p);
	if (c->state != CONN_CLOSED)
		pending_remove(p, false);
}

void pending_set_time(struct pending *p, uint64_t at_us)
{
	if (at_us == HEAP_NEVER)
		heap_clear(&p->conn->conns->timers, &p->timer);
	else
		heap_set(&p->conn->conns->timers, &p->timer, at_us, 0);
}

void pendings_turn(struct heap *timers, uint64_t now_us)
{
	struct heap_node *node;

	while ((node = heap_first(timers)) && node->key <= now_us) {
		struct pending *p = container_of(node, struct pending, timer);

		heap_clear(timers, node);
		p->ops->on_time(p, now_us);
	}
}
