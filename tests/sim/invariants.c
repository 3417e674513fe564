/* The promises, looked at after every step by a witness who counts for himself. */
#include "tests/sim/world.h"

typedef unsigned long long ull;

/* ---- one future ---------------------------------------------------------------------------------
 */

/* No clock is early. */
static bool is_time_over(const struct record *r, const struct future *f)
{
	const struct wishes *want = &r->wishes;
	uint64_t span_us = future_finished_us(f) - r->submitted_us;

	switch (f->clock) {
	case FUTURE_CLOCK_START_WITHIN:
		return want->start_within_us && span_us >= want->delay_us + want->start_within_us;
	case FUTURE_CLOCK_TIMEOUT: return r->timeout_us && span_us >= r->timeout_us;
	case FUTURE_CLOCK_DEADLINE:
		return want->deadline_us &&
		       (span_us >= want->deadline_us ||
			       ((r->n_started || r->n_rung) && want->backoff_us));
	default: return false;
	}
}

/* Is this a way to end that something the witness saw explains? */
static bool is_explained(struct world *w, const struct record *r, const struct future *f)
{
	const struct pool *p = future_pool(f);

	switch (f->state) {
	case FUTURE_DONE: return r->is_answered && !r->is_answer_failure;
	case FUTURE_FAILED:
		if (f->failure == FAILURE_POISON)
			return r->n_deaths >= p->config.poison;
		if (f->failure == FAILURE_INPUTS)
			return r->is_too_large;
		if (f->failure == FAILURE_HELD)
			return w->has_named;
		return f->failure == FAILURE_QUOTA
			       ? r->n_started == 0 && !check_has_room(w, p, r->uid)
			       : r->is_answered && r->is_answer_failure;
	case FUTURE_CANCELLED: return r->is_cancel_asked && f->cancel_uid == 77;
	case FUTURE_TIMEOUT: return is_time_over(r, f);
	case FUTURE_LOST:
		return r->died_with && (r->n_deaths < p->config.poison || r->n_rung ||
					       w->core->is_draining || pool_is_closed(p));
	case FUTURE_ABORTED:
		return f->failure == FAILURE_INPUT ? r->n_started == 0 && graph_explains(w, r, f)
						   : w->core->is_draining || pool_is_closed(p) ||
							     trials_has_broken(w, p);
	default: return false;
	}
}

static void check_end(struct world *w, struct record *r, const struct future *f)
{
	struct future_timing t = future_timing(f, w->fake.now_us);

	if (r->is_final) {
		if (r->state != f->state || r->failure != f->failure ||
			r->final_seq != f->end.seq || r->value != future_value(f))
			world_fail(w, "future %llu has two ends", (ull)f->id);
		return;
	}
	if (r->is_job && !r->is_exempt && !is_explained(w, r, f))
		world_fail(w, "future %llu ended in state %d, failure %d, for no reason",
			(ull)f->id, f->state, f->failure);
	if (future_finished_us(f) >= f->run->head_us &&
		t.queued_us + t.handover_us + t.run_us + t.return_us !=
			future_finished_us(f) - f->submitted_us)
		world_fail(w, "the times of %llu do not add up", (ull)f->id);
	w->n_poisoned += f->failure == FAILURE_POISON;
	r->is_final = true;
	r->is_end_seen = true;
	r->root = f->failure == FAILURE_INPUT ? future_terms(f)->root_id : 0;
	r->state = f->state;
	r->failure = f->failure;
	r->final_seq = f->end.seq;
	r->value = future_value(f);
}

static bool is_armed(const struct future *f)
{
	return f->timer.pos > 0 || f->shelf_row > 0;
}

static bool has_right_timer(const struct future *f, const struct record *r)
{
	bool has_timeout = r->timeout_us > 0 && r->timeout_us < UINT64_MAX;
	bool has_deadline = r->wishes.deadline_us > 0, has_start = r->wishes.start_within_us > 0;

	switch (f->state) {
	case FUTURE_DELAYED: return is_armed(f);
	case FUTURE_BLOCKED: return is_armed(f) == has_deadline;
	case FUTURE_QUEUED:
		return is_armed(f) == (has_deadline || has_start) ||
		       (f->run->slot && has_start && !has_deadline);
	case FUTURE_RUNNING: return is_armed(f) == (has_timeout || has_deadline);
	case FUTURE_CANCELLING:
		return f->run->slot->state != SLOT_RINGING || f != slot_first(f->run->slot) ||
		       is_armed(f) ||
		       ((const struct fake_worker *)f->run->slot->shell)->is_known_dead;
	default:
		return f->is_released || r->ttl_us == UINT64_MAX ||
		       (is_armed(f) &&
			       f->timer.key == heap_after(future_finished_us(f), r->ttl_us));
	}
}

static bool is_in_inbox(const struct future *f)
{
	const struct fake_worker *fw = f->run->slot->shell;

	for (unsigned i = 0; i < fw->n_inbox && !fw->is_deaf; i++)
		if (!fw->inbox[i].is_cancel && fw->inbox[i].id == f->id)
			return true;
	return false;
}

static bool has_right_place(const struct future *f)
{
	switch (f->state) {
	case FUTURE_DELAYED:
	case FUTURE_BLOCKED: return future_lane(f) && !f->run->slot;
	case FUTURE_QUEUED:
		return future_lane(f) && (!f->run->slot || f != slot_first(f->run->slot));
	case FUTURE_RUNNING: return future_lane(f) && f->run->slot && f == slot_first(f->run->slot);
	case FUTURE_CANCELLING:
		return future_lane(f) && f->run->slot && f->ending != ENDING_NONE &&
		       !is_in_inbox(f);
	default:
		return !f->run->slot && !f->waiters &&
		       ((f->state != FUTURE_DONE && !f->is_input_lent) || !f->input);
	}
}

static void check_future(struct world *w, const struct future *f)
{
	struct record *r = world_record(w, f->id);
	bool is_final = future_state_is_final(f->state);

	if (r->id != f->id || r->uid != future_uid(f) || r->is_withdrawn || r->is_gone)
		world_fail(w, "future %llu should not be there", (ull)f->id);
	if (is_final)
		check_end(w, r, f);
	else if (r->is_final)
		world_fail(w, "future %llu is alive again", (ull)f->id);
	if (!has_right_place(f))
		world_fail(w, "future %llu in state %d stands in the wrong place", (ull)f->id,
			f->state);
	if (!has_right_timer(f, r))
		world_fail(w, "future %llu in state %d has the wrong timer", (ull)f->id, f->state);
	if (f->is_reserved != (f->run->slot != NULL))
		world_fail(w, "future %llu: the room for its result is %s", (ull)f->id,
			f->is_reserved ? "still taken" : "not taken");
	if (r->is_released && core_find(w->core, f->id))
		world_fail(w, "future %llu is found though it was released", (ull)f->id);
	if (is_final && f->is_released && !f->n_pins)
		world_fail(w, "future %llu is kept for nobody", (ull)f->id);
}

/* What is not in the core any more had an end, and was released or ran out of time. */
static void check_gone(struct world *w, struct record *r)
{
	uint32_t uid = 0;
	bool is_expired;

	if (r->is_gone)
		return;
	r->is_gone = true;
	if (r->is_withdrawn)
		return;
	is_expired = core_find_expired(w->core, r->id, &uid);
	if (core_find(w->core, r->id))
		world_fail(w, "future %llu is found though it is gone", (ull)r->id);
	if (!r->is_released && (!is_expired || uid != r->uid))
		world_fail(w, "future %llu vanished", (ull)r->id);
	if (r->is_final)
		return;
	/* It ended and was forgotten within one step; how it ended is seen by the counters. */
	r->is_final = true;
}

static void check_futures(struct world *w)
{
	unsigned i = w->first_alive;
	struct future *f;

	CORE_FOREACH (f, w->core) {
		for (; i < w->n_records && w->first_id + i < f->id; i++)
			check_gone(w, &w->records[i]);
		check_future(w, f);
		i++;
	}
	for (; i < w->n_records; i++)
		check_gone(w, &w->records[i]);
	while (w->first_alive < w->n_records && w->records[w->first_alive].is_gone)
		w->first_alive++;
}

/* Who goes through all meets whom the accounts' own lists have, each once and by ID. */
static void check_roll(struct world *w)
{
	uint64_t n = 0, n_own = 0, last;
	struct future *f, *before = NULL;
	struct account *a = NULL;

	CORE_FOREACH (f, w->core) {
		if (before && f->id <= before->id)
			world_fail(w, "%llu comes behind %llu", (ull)f->id, (ull)before->id);
		if (core_older(w->core, f->id) != before)
			world_fail(w, "%llu has another one before it", (ull)f->id);
		before = f;
		n++;
	}
	if (core_older(w->core, CORE_ID_END) != before)
		world_fail(w, "another one of %llu is the youngest", (ull)n);
	while ((a = accounts_next(&w->core->accounts, a))) {
		last = 0;
		TAILQ_FOREACH (f, account_futures(a), in_uid) {
			if (f->id <= last || core_newer(w->core, f->id - 1) != f)
				world_fail(w, "%llu of uid %u is not in its place", (ull)f->id,
					account_uid(a));
			last = f->id;
			n_own++;
		}
	}
	if (n != n_own || n != w->core->table.n)
		world_fail(w, "of %llu futures %llu are met", (ull)n_own, (ull)n);
}

/* ---- links, timers, waiters ---------------------------------------------------------------------
 */

static bool holds(const struct fake_worker *fw, uint64_t id)
{
	for (unsigned i = 0; i < fw->n_held; i++)
		if (fw->held[i].id == id)
			return true;
	return false;
}

/* What lies with a worker is what the core thinks: each packet once, and nothing that is over. */
static void check_worker(struct world *w, const struct fake_worker *fw)
{
	unsigned n = fw->n_held;
	const struct future *f;

	if (fw->life == FAKE_NONE)
		return;
	if ((fw->slot->state == SLOT_RINGING &&
		    (!fw->n_rung || (fw->has_lost_cancel && fw->life == FAKE_UP))) ||
		(fw->slot->state == SLOT_LEAVING && !fw->is_closed && !fw->has_kill))
		world_fail(w, "worker %s/%u does not know that it is not wanted",
			fw->slot->pool->name, fw->slot->number);
	for (unsigned i = 0; i < fw->n_held && fw->life == FAKE_UP; i++) {
		struct record *r = world_record(w, fw->held[i].id);

		if (r->is_final && !r->is_exempt)
			world_fail(
				w, "%llu is over, and a worker still runs it", (ull)fw->held[i].id);
	}
	for (unsigned i = 0; i < fw->n_inbox; i++) {
		struct record *r = world_record(w, fw->inbox[i].id);

		if (fw->inbox[i].is_cancel)
			continue;
		if (r->is_final && !r->is_exempt)
			world_fail(w, "%llu is over, and in an inbox", (ull)fw->inbox[i].id);
		n++;
	}
	for (unsigned i = 0; i < fw->n_outbox; i++)
		n += !fw->outbox[i].is_recycle;
	/* What was ended while it could not be taken back ends with its worker. */
	TAILQ_FOREACH (f, &fw->slot->line, in_line)
		n += fw->is_known_dead && f->state == FUTURE_CANCELLING && !holds(fw, f->id);
	if (fw->kind <= KIND_SILENT && n != fw->slot->n_line)
		world_fail(w, "worker %s/%u has %u jobs, its line says %u", fw->slot->pool->name,
			fw->slot->number, n, fw->slot->n_line);
}

static void check_heap(struct world *w)
{
	const struct heap *h = &w->core->timers;

	for (uint32_t i = 0; i < h->n; i++) {
		const struct heap_node *node = h->entries[i].node;
		const struct heap_node *up = i ? h->entries[heap_above(i)].node : node;

		if (node->pos != i + 1 || h->entries[i].key != node->key || up->key > node->key)
			world_fail(w, "the timers are out of order at %u", i);
	}
	if (h->n > w->core->n_timers || w->core->n_timers > h->size)
		world_fail(w, "%u timers run, %u have room", h->n, w->core->n_timers);
}

/* What stands in them is final, in no other list, and in the order of going. */
static void check_shelf(struct world *w)
{
	for (unsigned i = 0; i < SHELF_ROWS; i++) {
		const struct shelf_row *row = &w->core->shelf.rows[i];
		uint64_t before_us = 0;
		const struct future *f;

		TAILQ_FOREACH (f, &row->futures, in_line) {
			if (f->shelf_row != i + 1 || f->timer.pos || f->is_settling ||
				!future_state_is_final(f->state))
				world_fail(w, "%llu stands in row %u", (ull)f->id, i);
			if (f->timer.key < before_us || f->timer.key > row->last_us)
				world_fail(w, "row %u is out of order at %llu", i, (ull)f->id);
			before_us = f->timer.key;
		}
	}
}

static void check_waiters(struct world *w)
{
	for (unsigned i = 0; i < WORLD_WAITERS; i++) {
		const struct world_waiter *waiter = &w->waiters[i];
		const struct waiter *fake = &waiter->fake.w;
		const struct future *f = fake->is_waiting ? fake->future : NULL;

		if (waiter->is_waiting != (f != NULL))
			world_fail(w, "a waiter of %llu was %s", (ull)waiter->id,
				f ? "left in its list" : "not told");
		if (f && (f->id != waiter->id || future_state_is_final(f->state)))
			world_fail(w, "a waiter of %llu still waits", (ull)waiter->id);
		if (f && waiter->fake.w.is_watching != i % 2)
			world_fail(w, "a waiter of %llu watches, or does not", (ull)waiter->id);
		if (f && i % 2 && (!f->is_watched || waiter->fake.state != f->state))
			world_fail(w, "who watches %llu was not told of its state", (ull)f->id);
	}
}

void check_always(struct world *w)
{
	check_roll(w);
	check_futures(w);
	for (unsigned i = 0; i < w->n_pools; i++)
		for (unsigned k = 0; k < w->pools[i]->n_slots; k++)
			check_worker(w, fake_worker(w->pools[i], k));
	ledger_check(w);
	graph_check(w);
	names_check(w);
	check_heap(w);
	check_shelf(w);
	check_waiters(w);
	check_overtaken(w);
	check_reasons(w, false);
}
