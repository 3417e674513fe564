#include "daemon/lending.h"

#include "daemon/core/edge.h"
#include "daemon/payload.h"
#include "daemon/run_packet.h"
#include "daemon/workers.h"

/* More workers than bits share them: then some are told of what they never had. */
static uint64_t bit_of(const struct worker_link *l)
{
	return 1ull << l->number % 64;
}

/* Commands' workers keep nothing. */
static bool keeps_values(const struct worker_link *l)
{
	const struct config_pool *c = workers_config(l->slot->pool);

	return c->handler == HANDLER_MODULE && c->cache_bytes > 0;
}

void lending_note(const struct worker_link *l, const struct future *f)
{
	const struct edge *e = edges_next_input(f, NULL);

	if (!e || !keeps_values(l))
		return;
	for (; e; e = edges_next_input(f, e)) {
		struct payload_memfds *m = future_value(e->on) ? payload_memfds(future_value(e->on))
							       : NULL;

		if (!m)
			continue;
		m->lent_as = e->on->id;
		m->lent_to |= bit_of(l);
	}
}

static void tell(const struct worker_link *l, uint64_t id)
{
	if (l->state == LINK_OPEN)
		(void)!forget_packet_send(l->fd, &l->links->send, id);
}

void lending_end(struct links *all, const struct payload *p)
{
	const struct payload_memfds *m = payload_memfds(p);
	struct worker_link *l;

	if (!m || !m->lent_to)
		return;
	TAILQ_FOREACH (l, &all->all, in_list)
		if (m->lent_to & bit_of(l))
			tell(l, m->lent_as);
}

void lending_took_back(struct lending_back *b, const uint8_t *bytes, size_t len)
{
	uint64_t id = forget_packet_id(bytes, len);

	if (id && b->n < LENDING_BACK)
		b->ids[b->n++] = id;
}

void lending_tell_again(const struct worker_link *l, const struct lending_back *b)
{
	for (unsigned i = 0; i < b->n; i++)
		tell(l, b->ids[i]);
}
