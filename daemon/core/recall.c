/* What lies in a worker's inbox too long comes back, and starts elsewhere:
 *
 *	behind a job that runs late	before younger jobs start elsewhere
 *	behind any job			if a worker is idle, with nothing in the queue for it
 *	behind none			if it was not received by now: its worker is stopped, or
 *					hangs, and the job may have no clock that would end this
 */
#include "daemon/core/recall.h"

#include "daemon/core/line.h"

bool recall_runs_late(const struct slot *s, uint64_t now_us)
{
	const struct future *f = slot_first(s);

	return now_us > heap_after(f->head_us, POOL_AHEAD_US) ||
	       f->expected_ns > POOL_AHEAD_US * 1000;
}

void recall_late(struct pool *p, uint64_t now_us)
{
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (s->state == SLOT_BUSY && s->n_line > 1 && recall_runs_late(s, now_us))
			line_take_back(s, now_us);
	}
}

/* As many as there are idle workers. */
void recall_for_idle(struct pool *p, uint64_t now_us)
{
	uint64_t others = p->queue.n;

	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (p->queue.n >= others + p->n_by_state[SLOT_IDLE])
			break;
		if (s->state == SLOT_BUSY && s->n_line > 1)
			line_take_back(s, now_us);
	}
}

/* The shell ends a worker that it takes such a job back from. */
void recall_unheard(struct pool *p, uint64_t now_us)
{
	if (now_us < p->look_us)
		return;
	p->look_us = HEAP_NEVER;
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (s->state != SLOT_BUSY || !slot_first(s) || s->has_received)
			continue; /* without a line it is being buried */
		if (slot_is_deaf(s, now_us))
			line_take_back(s, now_us);
		else if (line_deaf_us(s) < p->look_us)
			p->look_us = line_deaf_us(s);
	}
}
