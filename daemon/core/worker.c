/* What workers tell the core: that they are ready, that they want to be replaced, answers, and by
 * their death.
 */
#include <assert.h>

#include "daemon/core/attempt.h"
#include "daemon/core/ending.h"
#include "daemon/core/line.h"
#include "daemon/core/reservation.h"
#include "daemon/core/sizing.h"
#include "daemon/core/trial.h"

void core_worker_ready(struct slot *s, uint64_t now_us)
{
	if (s->state != SLOT_STARTING)
		return;
	slot_set_state(s, SLOT_IDLE, now_us);
	sizing_ready(s, now_us);
	if (s->pool->core->is_draining || s->fate == FATE_ENDS)
		slot_dismiss(s, now_us);
}

void core_worker_recycles(struct slot *s, uint64_t now_us)
{
	if (s->state == SLOT_IDLE)
		slot_dismiss(s, now_us);
	if (s->state != SLOT_BUSY)
		return;
	slot_set_fate(s, FATE_ENDS);
	line_take_back(s, now_us);
}

/* When the run started and how long it took: the worker's word, held within what the daemon saw
 * itself. */
static void set_times(struct future *f, const struct answer *a, uint64_t now_us)
{
	struct run *run = f->run;
	uint64_t span_us = now_us > run->head_us ? now_us - run->head_us : 0;

	if (a->started_us >= f->submitted_us && a->started_us <= now_us) {
		run->started_us = a->started_us;
		run->run_us = a->run_us < now_us - a->started_us ? a->run_us
								 : now_us - a->started_us;
		if (run->head_us > run->started_us)
			run->head_us = run->started_us;
		return;
	}
	run->run_us = a->run_us < span_us ? a->run_us : span_us;
	run->started_us = run->head_us + (span_us - run->run_us) / 2;
}

static void settle_answer(struct core *c, struct future *f, const struct answer *a, uint64_t now_us)
{
	const struct run_end end = {
		.state = a->is_failure ? FUTURE_FAILED : FUTURE_DONE,
		.failure = a->is_failure ? a->failure : FAILURE_NONE,
		.value = a->value,
		.value_bytes = a->value_bytes,
		.value_fds = a->value_fds,
	};

	if (f->ending) {
		if (a->value)
			c->ops->drop_payload(c->shell, a->value);
		ending_finish(f, now_us);
		return;
	}
	f->run->out = a->out;
	f->run->out.copied_bytes += a->copied_bytes;
	attempt_over(c, f, &end, now_us);
}

/* Would it have had room anywhere in a packet? */
static bool is_small(const struct pool *p, const struct answer *a)
{
	return a->failure != FAILURE_TOO_LARGE && !a->value_fds &&
	       a->value_bytes <= p->config.packed_result_bytes;
}

/* It had no room where it was: that it ran counts for nothing. */
static bool is_to_run_alone(const struct future *f, const struct answer *a)
{
	return f->run->place && f->state == FUTURE_RUNNING && !f->ending &&
	       (a->failure == FAILURE_TOO_LARGE ||
		       reservation_exceeded(f, a->value_bytes, a->value_fds));
}

static void run_alone(struct core *c, struct future *f, const struct answer *a)
{
	if (a->value)
		c->ops->drop_payload(c->shell, a->value);
	f->is_alone = true;
	line_put_back(f);
}

int core_answered(struct slot *s, const struct answer *a, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct future *f = slot_first(s);

	if (!f || f->run->msgid != a->msgid) {
		if (a->value)
			c->ops->drop_payload(c->shell, a->value);
		return CORE_E_PROTOCOL;
	}
	s->unheard_us = 0;
	sizing_answered(s, a->rss_kib);
	function_learn_result(f->function, is_small(future_pool(f), a));
	if (is_to_run_alone(f, a)) {
		run_alone(c, f, a);
		line_moved(s, now_us);
		return 0;
	}
	set_times(f, a, now_us);
	line_end(f, f->run->started_us + f->run->run_us);
	settle_answer(c, f, a, now_us);
	line_moved(s, now_us);
	return 0;
}

static void lose(struct slot *s, struct future *f, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct run_end end = {.state = FUTURE_LOST, .failure = FAILURE_LOST};

	line_end(f, now_us);
	if (f->ending) {
		ending_finish(f, now_us);
		return;
	}
	end.value = c->ops->describe_loss(c->shell, s, f, &end.value_bytes);
	attempt_over(c, f, &end, now_us);
}

/* Of a packet the first one that is not answered bears it. The others go back silently, and share
 * no packet again: another one of them may be what its worker died of. */
static void lose_line(struct slot *s, uint64_t now_us)
{
	uint32_t packet = 0;
	struct future *f;

	while ((f = slot_first(s))) {
		f->is_alone = true;
		if (f->run->place > 0 && f->state == FUTURE_QUEUED &&
			f->run->msgid - f->run->place == packet) {
			line_put_back(f);
			continue;
		}
		packet = f->run->msgid - f->run->place;
		lose(s, f, now_us);
	}
}

void core_worker_died(struct slot *s, const struct worker_end *end, uint64_t now_us)
{
	struct pool *p = s->pool;

	trial_died(s, end, now_us);
	lose_line(s, now_us);
	heap_clear(&p->core->timers, &s->timer);
	if (s->state != SLOT_LEAVING && s->state != SLOT_RINGING)
		p->n_deaths++;
	slot_set_state(s, SLOT_EMPTY, now_us);
	slot_set_fate(s, FATE_STAYS);
}
