/* Hand-over: the queue on one side, workers' inboxes on the other.
 *
 * A line is what a worker was given and has neither answered nor lost again by take-back, in the
 * order of giving. The kernel decides who gets a packet, the worker or the daemon; so the first of
 * the line is what the worker works on, and everything behind it can still come back. What a worker
 * received is answered in order, hence an answer always belongs to the first of the line; anything
 * else breaks the protocol.
 *
 * Before a job is handed over, room for its result (max_result) is taken from its owner's account,
 * so that no result ever finds its owner's quota full. A job whose reservation does not fit stays
 * in the queue, and only its own uid's lane waits with it.
 *
 * To end a job that is in a worker's hands: take the inbox back, read the answers, and only if the
 * job is still unanswered ring the bell. Ringing on "not answered yet" alone would hit the next job
 * now and then.
 */
#include "daemon/core/handover.h"

#include <assert.h>

#include "daemon/core/life.h"

/* A worker whose link was closed has this long to leave. */
#define LEAVE_US (5 * 1000 * 1000ull)
/* Back-off for workers that die before they did anything: doubles from the first to the last. */
#define BACKOFF_FIRST_US (100 * 1000ull)
#define BACKOFF_LAST_US	 (10 * 1000 * 1000ull)

/* ---- reservations -------------------------------------------------------------------------------
 */

struct amounts handover_reservation(const struct pool *p)
{
	return (struct amounts){.n = {
					[ACCOUNT_BYTES] = p->config.max_result_bytes,
					[ACCOUNT_FDS] = p->config.max_result_fds,
				}};
}

bool handover_never_fits(const struct pool *p)
{
	const struct account_limits *max = &p->core->accounts.limits;
	struct amounts want = handover_reservation(p);

	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		if (want.n[k] > max->uid.n[k] || want.n[k] > max->all.n[k])
			return true;
	return false;
}

/* queue_first() saw that it fits. */
static void reserve(struct future *f)
{
	struct amounts want = handover_reservation(f->pool);
	int r;

	r = account_take(f->account, &want, NULL);
	assert(r == 0);
	(void)r;
	f->is_reserved = true;
}

static void unreserve(struct future *f)
{
	struct amounts back = handover_reservation(f->pool);

	assert(f->is_reserved);
	account_give(f->account, &back);
	f->is_reserved = false;
}

/* For queue_first(): whose jobs cannot start now. One that can never start is not skipped, but
 * failed. */
static bool has_no_room(struct future *f)
{
	struct amounts want = handover_reservation(f->pool);

	if (account_check(f->account, &want, NULL) == 0 || handover_never_fits(f->pool))
		return false;
	f->pool->core->is_short = true;
	return true;
}

/* ---- the line -----------------------------------------------------------------------------------
 */

static void make_first(struct future *f, uint64_t now_us)
{
	struct core *c = f->pool->core;

	f->head_us = now_us;
	if (f->state == FUTURE_CANCELLING)
		return;
	future_set_state(f, FUTURE_RUNNING);
	if (f->timeout_us)
		heap_set(&c->timers, &f->timer, heap_after(now_us, f->timeout_us), f->id);
}

static void line_append(struct slot *s, struct future *f, uint64_t now_us)
{
	TAILQ_INSERT_TAIL(&s->line, f, in_line);
	f->slot = s;
	if (s->n_line++ == 0)
		make_first(f, now_us);
	else
		s->pool->n_ahead++;
}

static void line_remove(struct future *f)
{
	struct slot *s = f->slot;

	TAILQ_REMOVE(&s->line, f, in_line);
	if (--s->n_line > 0)
		s->pool->n_ahead--;
	f->slot = NULL;
	heap_clear(&s->pool->core->timers, &f->timer);
}

void handover_end(struct future *f)
{
	line_remove(f);
	unreserve(f);
	queue_leave(&f->pool->queue, f);
}

struct future *slot_first(const struct slot *s)
{
	return TAILQ_FIRST(&s->line);
}

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

static void finish_by_ending(struct future *f, uint64_t now_us)
{
	life_finish(f->pool->core, f, ending_state(f), ending_failure(f), now_us);
}

/* ---- handing over -------------------------------------------------------------------------------
 */

/* Its running job takes longer than others should wait behind it. */
static bool runs_late(const struct slot *s, uint64_t now_us)
{
	return now_us - slot_first(s)->head_us > POOL_AHEAD_US;
}

/* The least burdened worker that may have this job ahead of need. */
static struct slot *slot_for_ahead(struct pool *p, const struct function *fn, uint64_t now_us)
{
	unsigned room = pool_ahead(p, fn);
	struct slot *s, *best = NULL;

	if (room == 0)
		return NULL;
	TAILQ_FOREACH (s, &p->by_state[SLOT_BUSY], in_state)
		if (!s->is_recycled && s->n_line <= room && (!best || s->n_line < best->n_line) &&
			!runs_late(s, now_us))
			best = s;
	return best;
}

static bool hand_over(struct slot *s, struct future *f, uint64_t now_us)
{
	struct pool *p = s->pool;

	reserve(f);
	f->msgid = s->next_msgid;
	f->attempt = 1;
	if (p->core->ops->hand_over(p->core->shell, s, f) != 0) {
		unreserve(f);
		p->core->want_turn = true;
		return false;
	}
	queue_pop(&p->queue, f);
	s->next_msgid++;
	line_append(s, f, now_us);
	if (s->state == SLOT_IDLE)
		slot_set_state(s, SLOT_BUSY, now_us);
	return true;
}

static void assign(struct pool *p, uint64_t now_us)
{
	struct core *c = p->core;
	struct future *f;
	struct slot *s;

	while ((f = queue_first(&p->queue, has_no_room))) {
		if (handover_never_fits(f->pool)) {
			queue_remove(&p->queue, f);
			life_finish(c, f, FUTURE_FAILED, FAILURE_QUOTA, now_us);
			continue;
		}
		s = TAILQ_LAST(&p->by_state[SLOT_IDLE], slots); /* its caches are the warmest */
		if (!s)
			s = slot_for_ahead(p, f->function, now_us);
		if (!s || !hand_over(s, f, now_us))
			break;
	}
}

/* Jobs in the inbox of a worker whose running job takes long: back, before younger ones start
 * elsewhere. */
static void take_back_late(struct pool *p, uint64_t now_us)
{
	for (unsigned i = 0; i < p->config.n_workers; i++) {
		struct slot *s = &p->slots[i];

		if (s->state == SLOT_BUSY && s->n_line > 1 && runs_late(s, now_us))
			handover_take_back(s, now_us);
	}
}

/* Idle workers, nothing else for them in the queue, but jobs in others' inboxes: back, as many as
 * there are idle workers. */
static void steal(struct pool *p, uint64_t now_us)
{
	uint64_t others = p->queue.n;

	for (unsigned i = 0; i < p->config.n_workers; i++) {
		struct slot *s = &p->slots[i];

		if (p->queue.n - others >= p->n_by_state[SLOT_IDLE])
			break;
		if (s->state == SLOT_BUSY && s->n_line > 1)
			handover_take_back(s, now_us);
	}
}

static void spawn(struct pool *p, uint64_t now_us)
{
	struct core *c = p->core;
	struct slot *s;

	heap_clear(&c->timers, &p->timer);
	if (p->state != POOL_READY || c->is_draining)
		return;
	while ((s = TAILQ_FIRST(&p->by_state[SLOT_EMPTY]))) {
		if (now_us < p->spawn_at_us) {
			heap_set(&c->timers, &p->timer, p->spawn_at_us, 0);
			return;
		}
		if (p->n_failed_starts && p->n_by_state[SLOT_STARTING])
			return; /* one trial at a time */
		if (!c->ops->fork_worker(c->shell, s)) {
			c->want_turn = true;
			return;
		}
		s->next_msgid = 0;
		s->n_done = 0;
		s->is_recycled = false;
		p->n_spawned++;
		slot_set_state(s, SLOT_STARTING, now_us);
	}
}

void handover_turn(struct pool *p, uint64_t now_us)
{
	if (p->n_by_state[SLOT_EMPTY])
		spawn(p, now_us);
	if (p->n_ahead)
		take_back_late(p, now_us);
	if (p->queue.n)
		assign(p, now_us);
	if (p->n_ahead && p->n_by_state[SLOT_IDLE]) {
		steal(p, now_us);
		assign(p, now_us);
	}
}

/* ---- taking back --------------------------------------------------------------------------------
 */

int core_taken_back(struct slot *s, uint32_t msgid)
{
	struct future *f;

	TAILQ_FOREACH (f, &s->line, in_line)
		if (f->msgid == msgid)
			break;
	if (!f)
		return CORE_E_PROTOCOL;
	line_remove(f);
	unreserve(f);
	f->head_us = 0;
	TAILQ_INSERT_TAIL(&s->returned, f, in_line);
	return 0;
}

/* What came back never started: it stands in the queue again where it stood, unless it was ended
 * meanwhile. */
static void settle_returned(struct slot *s, uint64_t now_us)
{
	struct pool *p = s->pool;
	struct future *f;

	while ((f = TAILQ_LAST(&s->returned, futures))) {
		TAILQ_REMOVE(&s->returned, f, in_line);
		if (f->state == FUTURE_RUNNING)
			future_set_state(f, FUTURE_QUEUED);
		if (f->state == FUTURE_QUEUED && !p->core->is_draining && p->state != POOL_FAILED) {
			queue_put_back(&p->queue, f);
			continue;
		}
		queue_leave(&p->queue, f);
		if (f->state == FUTURE_CANCELLING)
			finish_by_ending(f, now_us);
		else
			life_finish(p->core, f, FUTURE_ABORTED,
				p->core->is_draining ? FAILURE_SHUTDOWN : FAILURE_POOL, now_us);
	}
}

static void dismiss(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	slot_set_state(s, SLOT_LEAVING, now_us);
	heap_set(&c->timers, &s->timer, now_us + LEAVE_US, 0);
	c->ops->close_link(c->shell, s);
}

void handover_dismiss(struct pool *p, uint64_t now_us)
{
	struct slot *s;

	while ((s = TAILQ_FIRST(&p->by_state[SLOT_IDLE])))
		dismiss(s, now_us);
}

/* After the line lost its first. */
static void line_moved(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct future *first = slot_first(s);

	if (first && !first->head_us)
		make_first(first, now_us);
	if (first || (s->state != SLOT_BUSY && s->state != SLOT_RINGING))
		return;
	if (s->state == SLOT_BUSY && !c->is_draining && !s->is_recycled) {
		slot_set_state(s, SLOT_IDLE, now_us);
		return;
	}
	/* The bell may have rung after the answer: a fresh worker takes this one's place. */
	dismiss(s, now_us);
}

void handover_settle(struct slot *s, uint64_t now_us)
{
	settle_returned(s, now_us);
	line_moved(s, now_us);
}

void handover_take_back(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	if (s->state == SLOT_RINGING)
		return; /* in its inbox lies the cancel, and nothing else */
	c->ops->take_back(c->shell, s);
	handover_settle(s, now_us);
}

/* ---- what workers tell --------------------------------------------------------------------------
 */

void core_worker_ready(struct slot *s, uint64_t now_us)
{
	if (s->state != SLOT_STARTING)
		return;
	slot_set_state(s, SLOT_IDLE, now_us);
	if (s->pool->core->is_draining)
		dismiss(s, now_us);
}

void core_worker_recycles(struct slot *s, uint64_t now_us)
{
	if (s->state == SLOT_IDLE)
		dismiss(s, now_us);
	if (s->state != SLOT_BUSY)
		return;
	s->is_recycled = true;
	handover_take_back(s, now_us);
}

/* When the run started and how long it took: the worker's word, held within what the daemon saw
 * itself. */
static void set_times(struct future *f, const struct answer *a, uint64_t now_us)
{
	uint64_t span_us = now_us - f->head_us;

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
		finish_by_ending(f, now_us);
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
	handover_end(f);
	settle_answer(c, f, a, now_us);
	line_moved(s, now_us);
	return 0;
}

static void lose(struct slot *s, struct future *f, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct payload *details;
	uint64_t bytes = 0;

	handover_end(f);
	if (f->ending) {
		finish_by_ending(f, now_us);
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
	struct pool *p = s->pool;
	struct future *f;

	settle_returned(s, now_us);
	while ((f = slot_first(s)))
		lose(s, f, now_us);
	heap_clear(&p->core->timers, &s->timer);
	if (is_failed_start(s, now_us))
		back_off(p, now_us);
	if (s->state != SLOT_LEAVING && s->state != SLOT_RINGING)
		p->n_deaths++;
	slot_set_state(s, SLOT_EMPTY, now_us);
}

/* ---- ending what runs ---------------------------------------------------------------------------
 */

void handover_kill(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	if (s->state == SLOT_BUSY || s->state == SLOT_RINGING)
		slot_set_state(s, SLOT_LEAVING, now_us);
	c->ops->kill(c->shell, s);
}

void handover_stop(
	struct future *f, enum future_ending ending, enum cancel_mode mode, uint64_t now_us)
{
	struct core *c = f->pool->core;
	struct slot *s = f->slot;

	handover_take_back(s, now_us);
	if (f->slot)
		c->ops->read_answers(c->shell, s);
	if (!f->slot)
		return; /* back in the queue, or answered */
	if (f->state != FUTURE_CANCELLING) {
		future_set_state(f, FUTURE_CANCELLING);
		f->ending = ending;
		f->cancel_mode = mode;
	}
	/* One that is not the first, or whose worker was rung for another one: this worker receives
	 * what it does not run, and a bell would hit the wrong job. */
	if (mode == CANCEL_KILL || s->state != SLOT_BUSY || f != slot_first(s)) {
		handover_kill(s, now_us);
		return;
	}
	slot_set_state(s, SLOT_RINGING, now_us);
	heap_set(&c->timers, &f->timer, heap_after(now_us, f->grace_us), f->id);
	c->ops->ring(c->shell, s, f);
}
