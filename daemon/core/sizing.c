/* Sizing: from what a pool should be to who is forked and who leaves.
 *
 * Two numbers are compared, every turn: how many workers are wanted (want_of), and how many there
 * are that stay. Static pools want a fixed number; dynamic ones as many as are busy or waited for,
 * and some spare ones; ondemand is dynamic without spare ones. A pool with workers on standby wants
 * so many more: no more jobs run with them, but the next job need not wait when a worker has died.
 *
 * Replacement is warm. A worker that served long enough (max_jobs, max_age, max_rss, a renewal)
 * retires: it no longer counts as one that stays, so a successor is forked, but it serves on until
 * there are enough without it. Then it gets nothing more, and leaves when it is through. Meanwhile
 * there are more workers than wanted, by a bounded number; more jobs than n_workers never run at
 * once (handover.c), also while a worker ends a job after its successor came.
 *
 * Workers that die before they are of any use are in trial.c.
 */
#include "daemon/core/sizing.h"

#include "daemon/core/line.h"
#include "daemon/core/life.h"
#include "daemon/core/trial.h"

/* Limits of a worker's life are shortened by up to one part in so many, lest all of a pool retire
 * together. */
#define JITTER_PARTS 8

#define SECOND_US 1000000ull

/* ---- how many -----------------------------------------------------------------------------------
 */

static unsigned smaller(uint64_t a, unsigned b)
{
	return a < b ? (unsigned)a : b;
}

/* More than that there must not be, whatever waits. */
static unsigned most_of(const struct pool *p)
{
	if (pool_is_closed(p))
		return 0;
	return p->is_draining ? smaller(p->n_unfinished, p->config.n_workers)
			      : p->config.n_workers + p->config.n_standby;
}

static unsigned want_of(const struct pool *p, unsigned n_waiting)
{
	unsigned spare = p->config.sizing == SIZING_DYNAMIC ? p->config.min_spare : 0;
	unsigned most = most_of(p), n;

	if (p->config.sizing == SIZING_STATIC)
		return most;
	n = smaller((uint64_t)p->n_by_fate[FATE_STAYS][SLOT_BUSY] + n_waiting + spare,
		p->config.n_workers);
	return n ? smaller(n + p->config.n_standby, most) : 0;
}

static unsigned serving(const struct pool *p)
{
	return p->n_by_state[SLOT_IDLE] + p->n_by_state[SLOT_BUSY] -
	       p->n_by_fate[FATE_ENDS][SLOT_BUSY];
}

static unsigned staying(const struct pool *p)
{
	const unsigned *n = p->n_by_fate[FATE_STAYS];

	return n[SLOT_STARTING] + n[SLOT_IDLE] + n[SLOT_BUSY];
}

unsigned pool_workers(const struct pool *p)
{
	return p->n_slots - p->n_by_state[SLOT_EMPTY];
}

/* Something of this pool is due at that time. */
static void wake_at(struct pool *p, uint64_t at_us)
{
	if (at_us < p->wake_us)
		p->wake_us = at_us;
}

/* ---- fewer --------------------------------------------------------------------------------------
 */

static void let_go(struct slot *s, uint64_t now_us)
{
	if (s->state == SLOT_IDLE) {
		slot_dismiss(s, now_us);
		return;
	}
	slot_set_fate(s, FATE_ENDS);
	line_take_back(s, now_us);
}

/* The one of this fate that was in its state for the longest time, an idle one if there is one. */
static struct slot *first_of(struct pool *p, enum slot_fate fate)
{
	static const enum slot_state order[] = {SLOT_IDLE, SLOT_BUSY};
	struct slot *s;

	for (int i = 0; i < 2; i++)
		if (p->n_by_fate[fate][order[i]])
			TAILQ_FOREACH (s, &p->by_state[order[i]], in_state)
				if (s->fate == fate)
					return s;
	return NULL;
}

/* Those that nobody needed for a while, but for some spare ones. */
static void let_idle_go(struct pool *p, unsigned want, uint64_t now_us)
{
	unsigned spare = p->config.sizing == SIZING_DYNAMIC
				 ? p->config.max_spare + p->config.n_standby
				 : 0;
	struct slot *s;

	while (p->n_by_state[SLOT_IDLE] > spare && serving(p) > want) {
		uint64_t at_us;

		s = TAILQ_FIRST(&p->by_state[SLOT_IDLE]);
		at_us = heap_after(s->since_us, p->config.idle_us);
		if (now_us < at_us) {
			wake_at(p, at_us);
			return;
		}
		slot_dismiss(s, now_us);
	}
}

void sizing_shrink(struct pool *p, unsigned n_waiting, uint64_t now_us)
{
	unsigned want = want_of(p, n_waiting), most = most_of(p);
	struct slot *s;

	p->wake_us = HEAP_NEVER;
	trial_look(p, now_us);
	while (serving(p) > want && (s = first_of(p, FATE_RETIRES)))
		let_go(s, now_us);
	while (serving(p) > most && (s = first_of(p, FATE_STAYS)))
		let_go(s, now_us);
}

/* The spawns of one second may come at once. */
static uint64_t rate_interval_us(const struct pool *p)
{
	return p->config.spawns_per_s ? SECOND_US / p->config.spawns_per_s : 0;
}

static uint64_t at_rate_us(const struct pool *p)
{
	uint64_t credit_us = SECOND_US - rate_interval_us(p);

	return p->rate_us > credit_us ? p->rate_us - credit_us : 0;
}

/* Those on their way out may be there too, but not without bound. */
static unsigned crowd_of(const struct pool *p)
{
	unsigned n = p->config.n_workers + p->config.n_standby;

	return n + 1 + n / 4;
}

/* An empty slot; NULL: no memory. */
static struct slot *slot_for_worker(struct pool *p)
{
	if (p->n_by_state[SLOT_EMPTY])
		return TAILQ_FIRST(&p->by_state[SLOT_EMPTY]);
	if (life_add_timer(p->core) < 0)
		return NULL;
	if (pool_add_slot(p) < 0) {
		p->core->n_timers--;
		return NULL;
	}
	return p->slots[p->n_slots - 1];
}

static uint64_t hash(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t with_jitter(const struct slot *s, uint64_t limit)
{
	return limit - hash(s->serial) % (limit / JITTER_PARTS + 1);
}

static bool spawn(struct pool *p, uint64_t now_us)
{
	struct slot *s = slot_for_worker(p);
	uint64_t due_us = p->rate_us > now_us ? p->rate_us : now_us;

	if (!s || !p->core->ops->fork_worker(p->core->shell, s)) {
		p->core->want_turn = true;
		return false;
	}
	s->next_msgid = 0;
	s->n_done = 0;
	s->unheard_us = 0;
	s->rss_kib = 0;
	s->serial = ++p->n_spawned;
	s->n_done_most = with_jitter(s, p->config.max_jobs);
	p->rate_us = due_us + rate_interval_us(p);
	slot_set_state(s, SLOT_STARTING, now_us);
	return true;
}

static uint64_t next_spawn_us(const struct pool *p)
{
	uint64_t at_us = at_rate_us(p), trial_us = trial_next_start_us(p);

	return at_us > trial_us ? at_us : trial_us;
}

uint64_t sizing_next_start_us(const struct pool *p)
{
	return p->state != POOL_READY || p->n_by_state[SLOT_STARTING] ? 0 : next_spawn_us(p);
}

/* False: no more now. */
static bool may_spawn(struct pool *p, uint64_t now_us)
{
	uint64_t at_us;

	if (p->state != POOL_READY || pool_workers(p) >= crowd_of(p))
		return false;
	if (trial_is_starting(p))
		return false;
	at_us = next_spawn_us(p);
	if (now_us < at_us)
		wake_at(p, at_us);
	return now_us >= at_us;
}

void sizing_grow(struct pool *p, unsigned n_waiting, uint64_t now_us)
{
	struct heap *timers = &p->core->timers;
	unsigned want = want_of(p, n_waiting);

	if (p->config.sizing != SIZING_STATIC)
		let_idle_go(p, want, now_us);
	while (staying(p) < want && may_spawn(p, now_us) && spawn(p, now_us))
		;
	wake_at(p, trial_next_us(p, now_us));
	wake_at(p, p->look_us);
	if (p->wake_us == HEAP_NEVER)
		heap_clear(timers, &p->timer);
	else if (!p->timer.pos || p->timer.key != p->wake_us)
		heap_set(timers, &p->timer, p->wake_us, 0);
}

/* ---- what is learnt -----------------------------------------------------------------------------
 */

/* When it is old; a worker that leaves or starts has no such time. */
static void set_age(struct slot *s)
{
	uint64_t most_us = s->pool->config.max_age_us;
	struct heap *timers = &s->pool->core->timers;

	if (most_us)
		heap_set(timers, &s->timer, heap_after(s->ready_us, with_jitter(s, most_us)), 0);
	else
		heap_clear(timers, &s->timer);
}

static void retire(struct slot *s)
{
	if (s->fate == FATE_STAYS)
		slot_set_fate(s, FATE_RETIRES);
}

void sizing_ready(struct slot *s, uint64_t now_us)
{
	s->ready_us = now_us;
	trial_ready(s, now_us);
	set_age(s);
}

void sizing_answered(struct slot *s, uint64_t rss_kib)
{
	uint64_t most_kib = s->pool->config.max_rss_kib;

	trial_answered(s);
	s->n_done++;
	if (rss_kib)
		s->rss_kib = rss_kib;
	if ((s->n_done_most && s->n_done >= s->n_done_most) || (most_kib && s->rss_kib > most_kib))
		retire(s);
}

void sizing_due(struct slot *s, uint64_t now_us)
{
	if (s->state == SLOT_LEAVING)
		slot_kill(s, now_us);
	else
		retire(s);
}

/* ---- from outside -------------------------------------------------------------------------------
 */

void core_pool_resize(struct pool *p, unsigned n_workers, unsigned min_spare, unsigned max_spare)
{
	p->config.n_workers = n_workers;
	p->config.min_spare = min_spare;
	p->config.max_spare = max_spare;
}

void core_pool_renew(struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->state == SLOT_STARTING || p->slots[i]->state == SLOT_IDLE ||
			p->slots[i]->state == SLOT_BUSY)
			retire(p->slots[i]);
}

void sizing_changed(struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		s->n_done_most = with_jitter(s, p->config.max_jobs);
		if (s->state == SLOT_IDLE || s->state == SLOT_BUSY || s->state == SLOT_RINGING)
			set_age(s);
	}
}

void sizing_begin_anew(struct pool *p, uint64_t now_us)
{
	trial_begin_anew(p);
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (s->state == SLOT_STARTING)
			slot_set_fate(s, FATE_ENDS);
		else if (s->state == SLOT_IDLE || s->state == SLOT_BUSY)
			let_go(s, now_us);
	}
}

void core_pool_pause(struct pool *p, uint64_t now_us)
{
	p->is_paused = true;
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->state == SLOT_BUSY)
			line_take_back(p->slots[i], now_us);
}

void core_pool_drain(struct pool *p)
{
	p->is_draining = true;
	admissions_try_all(p->core);
}

void core_pool_resume(struct pool *p)
{
	p->is_paused = false;
	p->is_draining = false;
}
