/* What lies in a worker's inbox too long comes back, and starts elsewhere:
 *
 *	behind a job that runs late	before younger jobs start elsewhere
 *	behind any job			if a worker is idle, with nothing in the queue for it
 *	behind none			if it was not received by now: its worker is stopped, or
 *					hangs, and the job may have no clock that would end this
 *
 * What shares the packet of the running job does not lie there any more. If that job runs ten
 * thousand times as long as jobs that share packets are expected to, its worker is killed for the
 * others' sake: being pure it runs again, alone, and they do.
 */
#include "daemon/core/recall.h"

#include "daemon/core/line.h"

bool recall_runs_late(const struct slot *s, uint64_t now_us)
{
	const struct future *f = slot_first(s);

	return now_us > heap_after(f->run->head_us, function_late_us(f->function)) ||
	       function_is_long(f->function);
}

void recall_late(struct pool *p, uint64_t now_us)
{
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (s->state == SLOT_BUSY && line_has_more(s) && recall_runs_late(s, now_us))
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
		if (s->state == SLOT_BUSY && line_has_more(s))
			line_take_back(s, now_us);
	}
}

/* The first of its line is received, and does not let others of its packet start. */
static void look_if_stuck(struct slot *s, uint64_t now_us)
{
	const struct future *first = slot_first(s), *next = TAILQ_NEXT(first, in_line);
	uint64_t at_us = heap_after(first->run->head_us, POOL_STUCK_US);

	if (!next || !line_is_one_packet(first, next))
		return;
	if (now_us >= at_us)
		slot_kill(s, now_us);
	else if (at_us < s->pool->look_us)
		s->pool->look_us = at_us;
}

/* The shell ends a worker that it takes such a job back from. */
void recall_unheard(struct pool *p, uint64_t now_us)
{
	if (now_us < p->look_us)
		return;
	p->look_us = HEAP_NEVER;
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (s->state != SLOT_BUSY && s->state != SLOT_RINGING)
			continue;
		if (slot_first(s) && s->state == SLOT_BUSY && slot_is_deaf(s, now_us))
			line_take_back(s, now_us);
		if (!slot_first(s))
			continue; /* it is being buried, or has nothing left */
		if (s->has_received || s->state == SLOT_RINGING)
			look_if_stuck(s, now_us);
		else if (line_deaf_us(s) < p->look_us)
			p->look_us = line_deaf_us(s);
	}
}
