/* Clients and the clock: cancels, waits, changes, releases, and the turns of the daemon's loop.
 * Submits are in births.c. */
#include <errno.h>

#include "tests/lib/fault.h"
#include "tests/sim/world.h"

/* More than the longest chain of dependents has. */
#define TURNS_AT_ONCE 100

/* Some future that was not released, or NULL. */
struct future *clients_some_future(struct world *w)
{
	uint64_t n = w->n_records - w->first_alive;

	return n ? core_find(w->core, w->first_id + w->first_alive + world_below(w, n)) : NULL;
}

/* Some future with some worker that was not released, or NULL. */
static struct future *some_handed_over(struct world *w)
{
	const struct pool *p = w->pools[world_below(w, w->n_pools)];
	const struct slot *s = p->slots[world_below(w, p->n_slots)];
	uint64_t skip = s->n_line ? world_below(w, s->n_line) : 0;
	struct future *f;

	TAILQ_FOREACH (f, &s->line, in_line)
		if (skip-- == 0)
			return f->is_released ? NULL : f;
	return NULL;
}

/* ---- cancelling ---------------------------------------------------------------------------------
 */

static bool is_in_an_inbox(const struct future *f)
{
	const struct fake_worker *fw = f->run->slot->shell;

	for (unsigned i = 0; i < fw->n_inbox; i++)
		if (!fw->inbox[i].is_cancel && fw->inbox[i].id == f->id)
			return !fw->is_deaf;
	return false;
}

void clients_cancel(struct world *w)
{
	enum cancel_mode mode = (enum cancel_mode)world_below(w, 3);
	struct future *f = clients_some_future(w);
	enum cancel_outcome outcome;
	enum future_state before;
	struct record *r;
	bool is_ok = false;

	if (world_once_in(w, 2))
		f = some_handed_over(w);
	if (!f)
		return;
	r = world_record(w, f->id);
	before = f->state;
	r->is_cancel_asked |= !future_state_is_final(before);
	outcome = core_cancel(w->core, f, mode, 77, w->fake.now_us);
	world_say(w, "cancel %llu, mode %d: outcome %d", (unsigned long long)f->id, mode, outcome);
	switch (outcome) {
	case CANCEL_CANCELLED: is_ok = f->state == FUTURE_CANCELLED; break;
	case CANCEL_CANCELLING: is_ok = f->state == FUTURE_CANCELLING; break;
	case CANCEL_TOO_LATE:
		is_ok = future_state_is_final(f->state) && f->state != FUTURE_CANCELLED;
		break;
	case CANCEL_RUNNING:
		is_ok = mode == CANCEL_QUEUED && f->run->slot && !is_in_an_inbox(f) &&
			(f->state != FUTURE_CANCELLING || f->ending == ENDING_TIMEOUT);
		break;
	}
	if (!is_ok)
		world_fail(w, "cancel of %llu in mode %d, state %d, gave %d, and its state is %d",
			(unsigned long long)f->id, mode, before, outcome, f->state);
	if (outcome == CANCEL_CANCELLING || outcome == CANCEL_CANCELLED)
		r->is_end_in_sight = true;
	if (before == FUTURE_DELAYED && outcome != CANCEL_CANCELLED)
		world_fail(w, "%llu waits for its time, and a cancel gave %d",
			(unsigned long long)f->id, outcome);
	if (f->state == FUTURE_CANCELLED && !future_state_is_final(before) &&
		(f->cancel_uid != 77 || (f->cancel_mode != mode && before != FUTURE_CANCELLING)))
		world_fail(w, "%llu does not know who cancelled it", (unsigned long long)f->id);
}

void clients_signal(struct world *w)
{
	struct future *f = world_once_in(w, 4) ? clients_some_future(w) : some_handed_over(w);
	bool is_ok;
	int r;

	if (!f)
		return;
	r = core_signal(w->core, f, 10, w->fake.now_us);
	world_say(w, "signal to %llu: %d", (unsigned long long)f->id, r);
	switch (r) {
	case 0: is_ok = f->run->slot && slot_first(f->run->slot) == f && !is_in_an_inbox(f); break;
	case CORE_E_OVER: is_ok = future_state_is_final(f->state); break;
	default: is_ok = !future_state_is_final(f->state) && f->state != FUTURE_RUNNING; break;
	}
	if (!is_ok)
		world_fail(w, "signal to %llu gave %d, and its state is %d",
			(unsigned long long)f->id, r, f->state);
}

/* ---- the rest -----------------------------------------------------------------------------------
 */

static void release(struct world *w)
{
	struct future *f = clients_some_future(w);

	/* Mostly what is over, as clients do. */
	for (int i = 0; i < 3 && f && !future_state_is_final(f->state); i++)
		f = clients_some_future(w);

	if (!f)
		return;
	world_say(w, "%llu is released", (unsigned long long)f->id);
	world_record(w, f->id)->is_released = true;
	core_release(w->core, f);
}

static void set_priority(struct world *w, struct future *f, struct record *r)
{
	int32_t priority = (int32_t)world_below(w, 7) - 3;
	int want = r->is_job && !future_state_is_final(f->state) ? 0 : CORE_E_OVER, got;

	if (world_once_in(w, w->no_memory_in))
		fault_alloc_at(1);
	got = core_set_priority(f, priority);
	if (fault_end() && got == -ENOMEM)
		return;
	if (got != want)
		world_fail(w, "to set a priority gave %d, not %d", got, want);
	if (got == 0)
		r->priority = priority;
}

/* What the shell keeps for a future grows and shrinks. */
static void keep_or_not(struct world *w, struct future *f, struct record *r)
{
	uint32_t bytes = (uint32_t)world_below(w, 100);
	struct refusal no;

	if (r->kept_bytes) {
		core_unkeep(f, r->kept_bytes);
		r->extra_bytes -= r->kept_bytes;
		r->kept_bytes = 0;
	} else if (core_keep(f, bytes, &no) == 0) {
		r->kept_bytes = bytes;
		r->extra_bytes += bytes;
	} else if (no.value <= no.max) {
		world_fail(w, "a refusal that refuses nothing");
	}
}

static void change(struct world *w)
{
	struct future *f = world_once_in(w, 2) ? clients_some_future(w) : some_handed_over(w);
	struct record *r = f ? world_record(w, f->id) : NULL;
	uint64_t chance = world_below(w, 4);

	if (!f)
		return;
	if (chance == 0) {
		r->ttl_us = births_some_ttl(w);
		core_set_ttl(w->core, f, r->ttl_us);
	} else if (chance == 1) {
		keep_or_not(w, f, r);
	} else {
		set_priority(w, f, r);
		world_say(w, "%llu has priority %d", (unsigned long long)f->id, r->priority);
	}
}

static void wait_or_not(struct world *w)
{
	struct world_waiter *waiter = &w->waiters[world_below(w, WORLD_WAITERS)];
	struct future *f;

	if (waiter->is_waiting && world_once_in(w, 2)) {
		core_unwait(w->core, &waiter->fake.w);
		waiter->is_waiting = false;
		core_unwait(w->core, &waiter->fake.w);
		return;
	}
	f = clients_some_future(w);
	if (waiter->is_waiting || !f)
		return;
	waiter->is_waiting = true;
	waiter->id = f->id;
	waiter->fake.state = f->state;
	/* every other one watches */
	if ((waiter - w->waiters) % 2)
		core_watch(w->core, f, &waiter->fake.w);
	else
		core_wait(w->core, f, &waiter->fake.w);
}

static void pin_or_not(struct world *w)
{
	struct future **pin = &w->pins[world_below(w, WORLD_PINS)];

	if (*pin) {
		core_unpin(w->core, *pin);
		*pin = NULL;
	} else if ((*pin = clients_some_future(w))) {
		core_pin(*pin);
	}
}

static void let_time_pass(struct world *w)
{
	switch (world_below(w, 8)) {
	case 0: w->fake.now_us += world_below(w, 4 * w->long_us); break;
	case 1: w->fake.now_us += world_once_in(w, 20) ? world_below(w, 20000000) : 0; break;
	default: w->fake.now_us += world_below(w, 200); break;
	}
}

static uint64_t turn(struct world *w)
{
	uint64_t now_us = w->fake.now_us, next_us;

	w->turn_us = now_us;
	sizes_before_turn(w);
	next_us = core_turn(w->core, now_us);
	check_after_turn(w, now_us, next_us);
	order_settle(w);
	core_sweep(w->core);
	reload_check_swept(w);
	if (lobby_turn(w))
		next_us = now_us;
	lobby_check_after_turn(w);
	return next_us;
}

/* Every other time the daemon is as quick as it was asked to be. */
void clients_turn(struct world *w)
{
	unsigned most = TURNS_AT_ONCE + w->core->table.n / w->core->due_most; /* all may be due */
	uint64_t next_us = turn(w);

	for (unsigned i = 0; w->step % 2 && next_us <= w->fake.now_us; i++) {
		if (i == most)
			world_fail(w, "one turn follows the other at the same time");
		next_us = turn(w);
	}
}

void clients_move(struct world *w)
{
	uint64_t chance = world_below(w, 100);

	if (world_once_in(w, w->patient_in))
		lobby_move(w);
	else if (chance < 35)
		clients_turn(w);
	else if (chance < 52)
		let_time_pass(w);
	else if (chance < 72)
		births_submit(w);
	else if (chance < 75)
		births_submit_many(w);
	else if (chance < 78)
		births_put(w);
	else if (chance < 82)
		clients_cancel(w);
	else if (chance < 84)
		clients_signal(w);
	else if (chance < 90)
		release(w);
	else if (chance < 95)
		wait_or_not(w);
	else if (chance < 98)
		change(w);
	else
		pin_or_not(w);
}

void clients_leave(struct world *w)
{
	for (unsigned i = 0; i < WORLD_WAITERS; i++) {
		core_unwait(w->core, &w->waiters[i].fake.w);
		w->waiters[i].is_waiting = false;
	}
	clients_unpin(w);
	lobby_leave(w);
}

void clients_unpin(struct world *w)
{
	for (unsigned i = 0; i < WORLD_PINS; i++)
		if (w->pins[i]) {
			core_unpin(w->core, w->pins[i]);
			w->pins[i] = NULL;
		}
}

void clients_release_final(struct world *w)
{
	for (unsigned i = w->first_alive; i < w->n_records; i++) {
		struct record *r = &w->records[i];
		struct future *f = r->is_gone ? NULL : core_find(w->core, r->id);

		if (!f || !future_state_is_final(f->state))
			continue;
		r->is_released = true;
		core_release(w->core, f);
	}
}
