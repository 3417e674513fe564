/* A line is what a worker was given and has neither answered nor lost again by take-back, in the
 * order of giving. The kernel decides who gets a packet, the worker or the daemon; so the first of
 * the line is what the worker works on, those that share its packet follow, and everything behind
 * them can still come back. What a worker received is answered in order, hence an answer always
 * belongs to the first of the line; anything else breaks the protocol.
 */
#include "daemon/core/line.h"

#include "daemon/core/life.h"
#include "daemon/core/reservation.h"

uint64_t line_deaf_us(const struct slot *s)
{
	uint64_t left_us = s->unheard_us < POOL_DEAF_US ? POOL_DEAF_US - s->unheard_us : 0;

	return heap_after(slot_first(s)->run->head_us, left_us);
}

bool slot_is_deaf(const struct slot *s, uint64_t now_us)
{
	return !s->has_received && slot_first(s) && slot_first(s)->run->head_us &&
	       now_us >= line_deaf_us(s);
}

static void make_first(struct future *f, uint64_t now_us)
{
	struct slot *s = f->run->slot;
	struct core *c = s->pool->core;

	f->run->head_us = now_us;
	s->has_received = false;
	if (line_deaf_us(s) < s->pool->look_us)
		s->pool->look_us = line_deaf_us(s);
	if (f->state != FUTURE_CANCELLING) {
		future_set_state(f, FUTURE_RUNNING);
		life_arm(c, f);
	} else if (s->state == SLOT_RINGING) {
		heap_set(&c->timers, &f->timer, heap_after(now_us, f->grace_us), f->id);
	}
}

void line_append(struct slot *s, struct future *f, uint64_t now_us)
{
	TAILQ_INSERT_TAIL(&s->line, f, in_line);
	f->run->slot = s;
	if (s->n_line++ == 0) {
		s->pool->n_lines++;
		make_first(f, now_us);
	} else {
		s->pool->n_ahead++;
		s->ahead_ns += f->run->wait_ns;
	}
}

static void line_remove(struct future *f)
{
	struct slot *s = f->run->slot;
	const struct future *was_ahead = f == slot_first(s) ? TAILQ_NEXT(f, in_line) : f;

	TAILQ_REMOVE(&s->line, f, in_line);
	if (was_ahead)
		s->ahead_ns -= was_ahead->run->wait_ns;
	if (--s->n_line > 0)
		s->pool->n_ahead--;
	else
		s->pool->n_lines--;
	f->run->slot = NULL;
}

/* No job that a worker worked on is free of charge. */
static uint64_t used_us(const struct future *f, uint64_t end_us)
{
	if (!f->run->head_us)
		return 0;
	return end_us > f->run->head_us ? end_us - f->run->head_us : 1;
}

void line_end(struct future *f, uint64_t end_us)
{
	line_remove(f);
	reservation_give(f);
	queue_settle(&future_pool(f)->queue, f, used_us(f, end_us));
}

struct future *slot_first(const struct slot *s)
{
	return TAILQ_FIRST(&s->line);
}

/* ---- taking back --------------------------------------------------------------------------------
 */

bool line_has_more(const struct slot *s)
{
	const struct future *first = slot_first(s);

	return s->n_line > 1 &&
	       (!s->has_received || !line_is_one_packet(first, TAILQ_LAST(&s->line, futures)));
}

void line_put_back(struct future *f)
{
	struct pool *p = future_pool(f);

	line_remove(f);
	reservation_give(f);
	future_give_run(p->core, f);
	if (f->state == FUTURE_RUNNING)
		future_set_state(f, FUTURE_QUEUED);
	queue_put_back(&p->queue, f);
	life_arm(p->core, f);
}

/* If its first run was answered, that was a lie; the others come back all the same. Those that are
 * being ended, rung for or their worker killed, end with that. */
int core_taken_back(struct slot *s, uint32_t msgid)
{
	bool has_first = false;
	struct future *next;

	for (struct future *f = slot_first(s); f; f = next) {
		next = TAILQ_NEXT(f, in_line);
		if (f->run->msgid - f->run->place != msgid) {
			if (has_first)
				break;
			continue;
		}
		has_first |= f->run->place == 0;
		if (f->state != FUTURE_CANCELLING)
			line_put_back(f);
	}
	return has_first ? 0 : CORE_E_PROTOCOL;
}

void line_moved(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct future *first = slot_first(s);

	if (first && !first->run->head_us)
		make_first(first, now_us);
	if (first || (s->state != SLOT_BUSY && s->state != SLOT_RINGING))
		return;
	if (s->state == SLOT_BUSY && !c->is_draining && s->fate != FATE_ENDS) {
		slot_set_state(s, SLOT_IDLE, now_us);
		return;
	}
	/* The bell may have rung after the answer: a fresh worker takes this one's place. */
	slot_dismiss(s, now_us);
}

/* A look into its inbox showed whether the worker has received the first of its line. */
static void note_received(struct slot *s, bool has_received, uint64_t for_us)
{
	s->has_received = has_received;
	s->unheard_us = has_received ? 0 : s->unheard_us + for_us;
}

void line_take_back(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;
	const struct future *first = slot_first(s);
	uint64_t head_us = first ? first->run->head_us : 0;

	if (s->state == SLOT_RINGING)
		return; /* in its inbox lies the cancel, and nothing else */
	c->ops->take_back(c->shell, s);
	if (head_us)
		note_received(s, first == slot_first(s), now_us - head_us);
	line_moved(s, now_us);
}
