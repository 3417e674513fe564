/* Ends that somebody wants: a client, a clock, the daemon that stops; and signals on the way there.
 *
 * To end a job that is in a worker's hands: take the inbox back, read the answers, and only if the
 * job is still unanswered ring the bell. Ringing on "not answered yet" alone would hit the next job
 * now and then.
 */
#include "daemon/core/ending.h"

#include "daemon/core/attempt.h"
#include "daemon/core/life.h"
#include "daemon/core/line.h"
#include "daemon/core/pools.h"

static enum future_state ending_state(const struct future *f)
{
	switch (f->ending) {
	case ENDING_TIMEOUT: return FUTURE_TIMEOUT;
	case ENDING_SHUTDOWN: return FUTURE_ABORTED;
	default: return FUTURE_CANCELLED;
	}
}

static enum future_failure ending_failure(const struct future *f)
{
	switch (f->ending) {
	case ENDING_TIMEOUT: return FAILURE_TIMEOUT;
	case ENDING_SHUTDOWN: return FAILURE_SHUTDOWN;
	default: return FAILURE_CANCELLED;
	}
}

void ending_finish(struct future *f, uint64_t now_us)
{
	const struct run_end end = {.state = ending_state(f), .failure = ending_failure(f)};

	attempt_over(future_pool(f)->core, f, &end, now_us);
}

/* One that shares the packet of the first has not started, and will not: its worker keeps the
 * `cancel` until its turn comes. From then on it has its grace. */
static void ring(struct slot *s, struct future *f, uint64_t now_us)
{
	struct core *c = s->pool->core;

	if (s->state == SLOT_LEAVING)
		return; /* it was killed, and takes f along */
	if (s->state == SLOT_BUSY)
		slot_set_state(s, SLOT_RINGING, now_us);
	if (f == slot_first(s))
		heap_set(&c->timers, &f->timer, heap_after(now_us, f->grace_us), f->id);
	else
		heap_clear(&c->timers, &f->timer);
	c->ops->ring(c->shell, s, f);
}

void ending_begin(
	struct future *f, enum future_ending ending, enum cancel_mode mode, uint64_t now_us)
{
	struct core *c = future_pool(f)->core;
	struct slot *s = f->run->slot;
	bool is_first;

	/* This worker goes, or has nothing left, and others' jobs are back in the queue: if
	 * somebody who was told of an end does this in the middle of a turn, the pool has had its
	 * part of it. */
	c->want_turn = true;
	line_take_back(s, now_us);
	if (f->run->slot)
		c->ops->read_answers(c->shell, s);
	if (!f->run->slot)
		return; /* back in the queue, or answered */
	is_first = f == slot_first(s);
	if (f->state == FUTURE_CANCELLING && (mode != CANCEL_KILL || !is_first))
		return; /* somebody who was told of another one's end was quicker */
	if (f->state != FUTURE_CANCELLING) {
		future_set_state(f, FUTURE_CANCELLING);
		f->ending = ending;
		f->cancel_mode = mode;
	}
	if (is_first ? mode == CANCEL_KILL : !line_is_one_packet(f, slot_first(s)))
		slot_kill(s,
			now_us); /* unless it was its wish: this worker receives what it does not run */
	else
		ring(s, f, now_us);
}

/* ---- cancelling ---------------------------------------------------------------------------------
 */

static enum cancel_outcome cancel_waiting(
	struct core *c, struct future *f, enum cancel_mode mode, uint32_t by_uid, uint64_t now_us)
{
	f->cancel_mode = mode;
	f->cancel_uid = by_uid;
	attempt_withdraw(f);
	life_finish(c, f, FUTURE_CANCELLED, FAILURE_CANCELLED, now_us);
	return CANCEL_CANCELLED;
}

/* A run that is being stopped, with another one to follow, becomes the last one. */
static void cancel_handed_over(
	struct future *f, enum cancel_mode mode, uint32_t by_uid, uint64_t now_us)
{
	bool is_news = f->state != FUTURE_CANCELLING || attempt_may_follow(f);

	if (f->state == FUTURE_CANCELLING && is_news)
		f->ending = ENDING_CANCEL;
	if (f->state != FUTURE_CANCELLING || mode == CANCEL_KILL)
		ending_begin(f, ENDING_CANCEL, mode, now_us);
	if (f->ending == ENDING_CANCEL && (is_news || mode == CANCEL_KILL)) {
		f->cancel_mode = mode;
		f->cancel_uid = by_uid;
	}
}

enum cancel_outcome core_cancel(
	struct core *c, struct future *f, enum cancel_mode mode, uint32_t by_uid, uint64_t now_us)
{
	if (f->run->slot && mode == CANCEL_QUEUED) {
		c->want_turn = true; /* as in ending_begin() */
		line_take_back(f->run->slot, now_us);
	} else if (f->run->slot) {
		cancel_handed_over(f, mode, by_uid, now_us);
	}
	if (mode == CANCEL_QUEUED && f->state == FUTURE_CANCELLING && attempt_may_follow(f))
		return CANCEL_RUNNING;
	switch (f->state) {
	case FUTURE_DELAYED:
	case FUTURE_BLOCKED:
	case FUTURE_QUEUED:
		return f->run->slot ? CANCEL_RUNNING : cancel_waiting(c, f, mode, by_uid, now_us);
	case FUTURE_RUNNING: return CANCEL_RUNNING;
	case FUTURE_CANCELLING: return CANCEL_CANCELLING;
	case FUTURE_CANCELLED: return CANCEL_CANCELLED;
	default: return CANCEL_TOO_LATE;
	}
}

/* One that is `cancelling` is alone with its worker. */
int core_signal(struct core *c, struct future *f, int signo, uint64_t now_us)
{
	struct slot *s = f->run->slot;

	if (s && f->state != FUTURE_CANCELLING) {
		line_take_back(s, now_us);
		if (f->run->slot)
			c->ops->read_answers(c->shell, s);
	}
	if (future_state_is_final(f->state))
		return CORE_E_OVER;
	if (!f->run->slot || f != slot_first(s))
		return CORE_E_NOT_RUNNING;
	return c->ops->signal(c->shell, s, f, signo);
}

/* ---- the end of the daemon ----------------------------------------------------------------------
 */

/* Those behind it that share its packet: a kill gives them back, else they are told not to start.
 */
static struct future *first_to_stop(const struct slot *s, enum cancel_mode mode)
{
	struct future *f = slot_first(s);

	while (f && f->state == FUTURE_CANCELLING && mode != CANCEL_KILL)
		f = TAILQ_NEXT(f, in_line);
	return f && f->state != FUTURE_CANCELLING ? f : NULL;
}

/* Reading a worker's answers may bring the next job to its head: that one is stopped too. */
static void stop_running(struct slot *s, enum cancel_mode mode, uint64_t now_us)
{
	struct future *f;

	while ((f = first_to_stop(s, mode)))
		ending_begin(f, ENDING_SHUTDOWN, mode, now_us);
	if (mode == CANCEL_KILL && s->state == SLOT_RINGING)
		slot_kill(s, now_us);
}

/* A client may ask for any grace; how long the daemon takes to stop is not for clients to say. */
static void limit_grace(struct slot *s, uint64_t now_us)
{
	uint64_t most_us = s->pool->config.grace_us, end_us = heap_after(now_us, most_us);
	struct future *f;

	TAILQ_FOREACH (f, &s->line, in_line) {
		if (f->grace_us > most_us)
			f->grace_us = most_us;
		if (f->state == FUTURE_CANCELLING && f->timer.pos && f->timer.key > end_us)
			heap_set(&s->pool->core->timers, &f->timer, end_us, f->id);
	}
}

void core_stop_running(struct core *c, enum cancel_mode mode, uint64_t now_us)
{
	struct pool *p;

	for (p = core_first_pool(c); p; p = core_next_pool(p))
		for (unsigned i = 0; i < p->n_slots; i++) {
			limit_grace(p->slots[i], now_us);
			stop_running(p->slots[i], mode, now_us);
		}
}
