/* Progress: what can start does. */
#include "daemon/core/edge.h"
#include "tests/sim/world.h"

typedef unsigned long long ull;

static bool waits(const struct future *f, const struct pool *p)
{
	return future_pool(f) == p && f->state == FUTURE_QUEUED && !f->run->slot;
}

bool check_has_room(struct world *w, const struct pool *p, uint32_t uid)
{
	const struct amounts *used = account_used(w->accounts[uid]);
	const struct amounts *all = &w->core->accounts.used;
	uint64_t want[_ACCOUNT_KIND_MAX] = {[ACCOUNT_BYTES] = p->config.max_result_bytes,
		[ACCOUNT_FDS] = p->config.max_result_fds};

	struct by_jobs jobs;

	reload_count_jobs(w, uid, &jobs);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
		uint64_t max = w->limits.uid.n[k], max_all = w->limits.all.n[k];
		bool is_pardoned = jobs.is_first && jobs.uid.n[k] + want[k] > max;
		bool is_all_pardoned = jobs.is_first_of_all && jobs.all.n[k] + want[k] > max_all;

		if (want[k] && ((is_pardoned ? 0 : used->n[k]) + want[k] > max ||
				       (is_all_pardoned ? 0 : all->n[k]) + want[k] > max_all))
			return false;
	}
	return true;
}

/* ---- progress -----------------------------------------------------------------------------------
 */

/* A job of its line, behind the first, that lies in its inbox. */
static const struct future *waits_in_inbox(const struct slot *s)
{
	const struct fake_worker *fw = s->shell;
	const struct future *f;

	TAILQ_FOREACH (f, &s->line, in_line)
		for (unsigned i = 0; i < fw->n_inbox; i++)
			if (f != slot_first(s) && fw->inbox[i].id == f->id)
				return f;
	return NULL;
}

/* An idle worker whose link took what it was given. */
static bool has_idle(const struct world *w, const struct pool *p)
{
	if (p->n_lines >= p->config.n_workers || w->sizes[world_pool_index(w, p)].is_paused)
		return false;
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->state == SLOT_IDLE &&
			p->slots[i]->refused_turn != w->core->n_turns &&
			trials_may_serve(w, p->slots[i]))
			return true;
	return false;
}

static void check_idle(struct world *w, const struct pool *p)
{
	struct future *f;

	if (!has_idle(w, p))
		return;
	CORE_FOREACH (f, w->core)
		if (waits(f, p) && check_has_room(w, p, future_uid(f)))
			world_fail(w, "%llu waits though a worker is idle", (ull)f->id);
}

/* What nobody is about to end is not left with a worker that does not receive, also if it comes
 * back and is handed over again now and then. */
static void check_received(struct world *w, const struct slot *s, uint64_t now_us, uint64_t next_us)
{
	const struct fake_worker *fw = s->shell;

	if (s->state != SLOT_BUSY || !fw->n_inbox || fw->n_held || fw->n_outbox || fw->is_deaf ||
		fw->kind == KIND_EAGER || w->core->is_draining)
		return;
	if (now_us + fw->lain_us > fw->lies_since_us + POOL_DEAF_US)
		world_fail(
			w, "%llu lies in the inbox of a worker that is deaf", (ull)fw->inbox[0].id);
	if (next_us > heap_after(slot_first(s)->run->head_us, POOL_DEAF_US))
		world_fail(w, "nobody looks for %llu in time", (ull)fw->inbox[0].id);
}

/* Nobody waits for ever in a packet that was received. */
static void check_stuck(struct world *w, const struct slot *s, uint64_t now_us, uint64_t next_us)
{
	const struct future *first = slot_first(s),
			    *next = first ? TAILQ_NEXT(first, in_line) : NULL;

	if (!next || (s->state != SLOT_BUSY && s->state != SLOT_RINGING) ||
		next->run->msgid - next->run->place != first->run->msgid - first->run->place)
		return;
	if (now_us > heap_after(first->run->head_us, POOL_STUCK_US) && !w->core->is_draining)
		world_fail(
			w, "%llu waits in a packet behind a job that does not end", (ull)next->id);
	if (next_us > heap_after(first->run->head_us, POOL_STUCK_US))
		world_fail(w, "nobody looks for %llu in time", (ull)next->id);
}

/* Twice what it is expected to take. */
static uint64_t late_us(struct function *fn)
{
	uint64_t ns = function_soon_ns(fn);

	return ns <= POOL_AHEAD_US * 500 ? POOL_AHEAD_US : ns / 500;
}

/* Does one wait in the queue for room for its result? */
static bool lacks_room(struct world *w, const struct pool *p)
{
	const struct future *f;

	CORE_FOREACH (f, w->core)
		if (waits(f, p) && !check_has_room(w, p, future_uid(f)))
			return true;
	return false;
}

static void check_inboxes(struct world *w, const struct pool *p, uint64_t now_us, uint64_t next_us)
{
	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct slot *s = p->slots[i];
		const struct fake_worker *fw = s->shell;
		const struct future *f = s->state == SLOT_BUSY ? waits_in_inbox(s) : NULL;

		check_received(w, s, now_us, next_us);
		check_stuck(w, s, now_us, next_us);
		if (!f || fw->is_deaf)
			continue;
		/* While results are let in one by one, that they are is seen at the end. For want of room
		 * in an account another worker would not help. */
		if (has_idle(w, p) && !w->is_lenient && !lacks_room(w, p))
			world_fail(w, "%llu waits in an inbox for nothing", (ull)f->id);
		if (now_us > slot_first(s)->run->head_us + late_us(slot_first(s)->function))
			world_fail(w, "%llu waits behind a job that runs late", (ull)f->id);
	}
}

void check_nobody_waits(struct world *w, const struct pool *p)
{
	if (p->queue.n || p->n_aside)
		world_fail(w, "jobs wait for nothing");
	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct slot *s = p->slots[i];
		const struct future *f = s->state == SLOT_BUSY ? waits_in_inbox(s) : NULL;

		if (f && !((const struct fake_worker *)s->shell)->is_deaf)
			world_fail(w, "%llu waits in an inbox for nothing", (ull)f->id);
	}
}

static uint64_t or_most(uint64_t ns)
{
	return ns ? ns : POOL_AHEAD_US * 1000;
}

static void check_shares(struct world *w, const struct future *f)
{
	const struct record *r = world_record(w, f->id);

	if (!f->function->is_pure)
		world_fail(w, "%llu shares a packet", (ull)r->id);
	if (f->function->n_apart)
		world_fail(w, "%llu shares a packet, and results are large", (ull)r->id);
	if (r->must_be_alone && !r->is_exempt)
		world_fail(w, "%llu shares a packet again", (ull)r->id);
}

static void check_several(
	struct world *w, const struct slot *s, struct future *const *jobs, unsigned n)
{
	uint64_t ns = 0, bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct record *r = world_record(w, jobs[i]->id);

		ns += or_most(function_mean_run_ns(jobs[i]->function));
		bytes += jobs[i]->in_inline_bytes;
		if (r->input_fds || edges_next_input(jobs[i], NULL))
			world_fail(w, "%llu goes with others", (ull)r->id);
		if (jobs[i]->run->place > 0 || (i + 1 < n && jobs[i + 1]->run->place > 0))
			check_shares(w, jobs[i]);
	}
	if (n > POOL_PACK_JOBS || ns > POOL_PACK_US * 1000 || bytes > POOL_PACK_BYTES)
		world_fail(w, "a pack has %u jobs, %llu bytes, and takes %llu ns", n, (ull)bytes,
			(ull)ns);
	if (!s->n_done || s->pool->config.poison == 1)
		world_fail(w, "worker %s/%u may get one job at a time", s->pool->name, s->number);
}

/* They stand in no line yet. */
void check_pack(struct world *w, const struct slot *s, struct future *const *jobs, unsigned n)
{
	const struct future *first = slot_first(s) ? slot_first(s) : jobs[0], *g;
	unsigned n_ahead = n - (first == jobs[0]);
	uint64_t ns = 0;

	if (n > 1)
		check_several(w, s, jobs, n);
	for (unsigned i = 0; i < n; i++) {
		uint64_t wait_ns = or_most(function_soon_ns(jobs[i]->function));

		world_record(w, jobs[i]->id)->wait_ns = wait_ns;
		ns += jobs[i] != first ? wait_ns : 0;
	}
	TAILQ_FOREACH (g, &s->line, in_line)
		if (g != first) {
			ns += world_record(w, g->id)->wait_ns;
			n_ahead++;
		}
	if (n_ahead && (ns > (n_ahead == 1 ? POOL_SOON_US * 750 : POOL_AHEAD_US * 1000) ||
			       n_ahead > s->pool->config.ahead_max))
		world_fail(w, "%llu is one of %u that wait %llu ns for each other",
			(ull)jobs[0]->id, n_ahead, (ull)ns);
	if (n_ahead && first != jobs[0] && function_soon_ns(first->function) > POOL_SOON_US * 750)
		world_fail(w, "%llu goes behind a job that will take long", (ull)jobs[0]->id);
}

static void check_refusals(struct world *w, const struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->refused_turn == w->core->n_turns && !w->core->want_turn)
			world_fail(w, "a full link is not tried again");
}

/* Nobody outstays a clock. */
static void check_clocks(struct world *w, uint64_t now_us)
{
	struct future *f;

	CORE_FOREACH (f, w->core) {
		const struct record *r = world_record(w, f->id);
		uint64_t over_us = r->wishes.deadline_us
					   ? heap_after(r->submitted_us, r->wishes.deadline_us)
					   : UINT64_MAX;

		if (future_state_is_final(f->state) || f->state == FUTURE_CANCELLING)
			continue;
		if (over_us <= now_us)
			world_fail(w, "%llu is there after its deadline", (ull)f->id);
		if (f->state == FUTURE_DELAYED && future_terms(f)->not_before_us <= now_us)
			world_fail(w, "%llu waits on after its time", (ull)f->id);
		if (f->state == FUTURE_DELAYED && r->n_started &&
			future_terms(f)->not_before_us >= over_us)
			world_fail(w, "%llu waits for what comes too late", (ull)f->id);
		if (future_terms(f) && future_terms(f)->n_kept > TERMS_ATTEMPTS)
			world_fail(w, "%llu remembers too much", (ull)f->id);
		if (f->state == FUTURE_QUEUED && !f->run->slot && r->wishes.start_within_us &&
			future_terms(f)->start_by_us <= now_us)
			world_fail(w, "%llu should have been started", (ull)f->id);
		if (f->state == FUTURE_RUNNING && r->timeout_us &&
			heap_after(f->run->head_us, r->timeout_us) <= now_us)
			world_fail(w, "%llu runs longer than it may", (ull)f->id);
	}
}

static uint64_t first_timer_us(const struct core *c)
{
	const struct heap_node *node = heap_first(&c->timers);
	uint64_t at_us = node ? node->key : HEAP_NEVER;

	for (unsigned i = 0; i < SHELF_ROWS; i++) {
		const struct future *f = TAILQ_FIRST(&c->shelf.rows[i].futures);

		if (f && f->timer.key < at_us)
			at_us = f->timer.key;
	}
	return at_us;
}

void check_after_turn(struct world *w, uint64_t now_us, uint64_t next_us)
{
	uint64_t first_us = first_timer_us(w->core);

	if (first_us <= now_us && next_us > now_us)
		world_fail(w, "a timer was due and is still there");
	if (next_us > now_us)
		check_clocks(w, now_us);
	if (next_us > now_us && next_us > first_us)
		world_fail(w, "the next turn comes after the first timer");
	if (w->core->want_turn && next_us > now_us + 1000000)
		world_fail(w, "what was refused is not tried again");
	graph_check_after_turn(w, now_us, next_us);
	for (unsigned i = 0; i < w->n_pools; i++) {
		if (w->core->is_draining || pool_is_closed(w->pools[i]))
			check_nobody_waits(w, w->pools[i]);
		check_inboxes(w, w->pools[i], now_us, next_us);
		check_refusals(w, w->pools[i]);
		/* Room and workers that were freed late in this turn are offered in the next. */
		if (!w->core->want_turn)
			check_idle(w, w->pools[i]);
	}
	sizes_after_turn(w, now_us, !w->core->want_turn);
	check_reasons(w, !w->core->want_turn && next_us > now_us);
}
