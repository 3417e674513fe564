/* What workers tell the core: that they are ready, that they want to be replaced, answers, and by
 * their death.
 */
#include <assert.h>

#include "daemon/core/handover.h"
#include "daemon/core/life.h"

/* Back-off for workers that die before they did anything: doubles from the first to the last. */
#define BACKOFF_FIRST_US (100 * 1000ull)
#define BACKOFF_LAST_US	 (10 * 1000 * 1000ull)

void core_worker_ready(struct slot *s, uint64_t now_us)
{
	if (s->state != SLOT_STARTING)
		return;
	slot_set_state(s, SLOT_IDLE, now_us);
	if (s->pool->core->is_draining)
		handover_dismiss(s, now_us);
}

void core_worker_recycles(struct slot *s, uint64_t now_us)
{
	if (s->state == SLOT_IDLE)
		handover_dismiss(s, now_us);
	if (s->state != SLOT_BUSY)
		return;
	s->is_recycled = true;
	handover_take_back(s, now_us);
}

/* When the run started and how long it took: the worker's word, held within what the daemon saw
 * itself. */
static void set_times(struct future *f, const struct answer *a, uint64_t now_us)
{
	uint64_t span_us = now_us > f->head_us ? now_us - f->head_us : 0;

	if (a->started_us >= f->submitted_us && a->started_us <= now_us) {
		f->started_us = a->started_us;
		f->run_us = a->run_us < now_us - a->started_us ? a->run_us : now_us - a->started_us;
		if (f->head_us > f->started_us)
			f->head_us = f->started_us;
		return;
	}
	f->run_us = a->run_us < span_us ? a->run_us : span_us;
	f->started_us = f->head_us + (span_us - f->run_us) / 2;
}

static void settle_answer(struct core *c, struct future *f, const struct answer *a, uint64_t now_us)
{
	if (f->ending) {
		if (a->value)
			c->ops->drop_payload(c->shell, a->value);
		handover_finish(f, now_us);
		return;
	}
	f->out = a->out;
	f->in.copied_bytes += a->in_copied_bytes;
	if (life_set_value(c, f, a->value, a->value_bytes, a->value_fds) != 0)
		life_finish(c, f, FUTURE_FAILED, FAILURE_QUOTA, now_us);
	else if (a->is_failure)
		life_finish(c, f, FUTURE_FAILED, a->failure, now_us);
	else
		life_finish(c, f, FUTURE_DONE, FAILURE_NONE, now_us);
}

int core_answered(struct slot *s, const struct answer *a, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct future *f = slot_first(s);

	if (!f || f->msgid != a->msgid) {
		if (a->value)
			c->ops->drop_payload(c->shell, a->value);
		return CORE_E_PROTOCOL;
	}
	s->n_done++;
	s->pool->n_failed_starts = 0;
	set_times(f, a, now_us);
	handover_end(f, f->started_us + f->run_us);
	settle_answer(c, f, a, now_us);
	handover_line_moved(s, now_us);
	return 0;
}

static void lose(struct slot *s, struct future *f, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct payload *details;
	uint64_t bytes = 0;

	handover_end(f, now_us);
	if (f->ending) {
		handover_finish(f, now_us);
		return;
	}
	details = c->ops->describe_loss(c->shell, s, f, &bytes);
	/* Without room for the details the loss is told without them. */
	(void)!life_set_value(c, f, details, bytes, 0);
	life_finish(c, f, FUTURE_LOST, FAILURE_LOST, now_us);
}

/* It died before it was of any use: no job is to blame. */
static bool is_failed_start(const struct slot *s, uint64_t now_us)
{
	if (s->state == SLOT_STARTING)
		return true;
	return s->state == SLOT_IDLE && !s->n_done && now_us - s->since_us < BACKOFF_LAST_US;
}

static void back_off(struct pool *p, uint64_t now_us)
{
	uint64_t delay_us = BACKOFF_LAST_US;

	if (p->n_failed_starts < 7)
		delay_us = BACKOFF_FIRST_US << p->n_failed_starts;
	p->n_failed_starts++;
	p->spawn_at_us = now_us + delay_us;
}

void core_worker_died(struct slot *s, uint64_t now_us)
{
	bool is_failed = is_failed_start(s, now_us);
	struct pool *p = s->pool;
	struct future *f;

	while ((f = slot_first(s)))
		lose(s, f, now_us);
	heap_clear(&p->core->timers, &s->timer);
	if (is_failed)
		back_off(p, now_us);
	if (s->state != SLOT_LEAVING && s->state != SLOT_RINGING)
		p->n_deaths++;
	slot_set_state(s, SLOT_EMPTY, now_us);
}
