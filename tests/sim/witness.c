/* What the witness is told of workers, and decides for them: where the daemon asks, and what it
 * sees. */
#include "tests/sim/world.h"

static struct world *world_of(struct fake_worker *fw)
{
	return fw->fake->user;
}

static bool may_hand_over(struct fake_worker *fw, struct future *f)
{
	struct world *w = world_of(fw);

	return !world_once_in(w, w->full_in);
}

static bool is_too_large(struct fake_worker *fw, struct future *f)
{
	struct world *w = world_of(fw);

	return graph_is_too_large(w, world_record(w, f->id));
}

static void handed_over(struct fake_worker *fw, struct future *f)
{
	struct world *w = world_of(fw);
	const struct record *r = world_record(w, f->id);

	if (fw->n_rung || fw->is_closed || fw->is_retired)
		world_fail(w, "%llu is handed to a worker that leaves", (unsigned long long)f->id);
	if (terms_due(f, w->turn_us) != FUTURE_CLOCK_NONE)
		world_fail(w, "%llu is handed over too late", (unsigned long long)f->id);
	/* A run whose answer was lost with another one's worker is not counted. */
	if (f->run->attempt + r->n_free_runs <= r->n_started && !r->is_exempt)
		world_fail(w, "run %u of %llu was one before", f->run->attempt,
			(unsigned long long)f->id);
	world_say(w, "%llu is handed to worker %s/%u", (unsigned long long)f->id, workers_pool(fw),
		workers_number(fw));
	sizes_handed_over(w, fw);
	check_hand_over(w, f);
}

static void packed(struct fake_worker *fw, struct future *const *jobs, unsigned n)
{
	struct world *w = world_of(fw);

	order_settle(w);
	w->packed = jobs;
	w->n_packed = n;
	if (n > 0)
		check_pack(w, fw->slot, jobs, n);
}

/* It runs the job that it is rung for, or will, and has no other one outside that packet. */
static void rung(struct fake_worker *fw, struct future *f)
{
	struct world *w = world_of(fw);
	struct record *r = world_record(w, f->id);
	bool is_there = false, is_other = false;

	r->n_rung++;
	r->may_run_again |= f->ending == ENDING_TIMEOUT && r->wishes.retry_on & RETRY_ON_TIMEOUT;
	if (fw->is_deaf || fw->kind > KIND_SILENT)
		return;
	for (unsigned i = 0; i < fw->n_held; i++) {
		is_there |= fw->held[i].id == f->id;
		is_other |= i > 0 && !fw->held[i].shares;
	}
	if (fw->n_outbox || !is_there || is_other)
		world_fail(w, "a bell for %llu rings where it does not run",
			(unsigned long long)f->id);
	for (unsigned i = 0; i < fw->n_inbox; i++)
		if (!fw->inbox[i].is_cancel)
			world_fail(w, "a bell for %llu may hit %llu", (unsigned long long)f->id,
				(unsigned long long)fw->inbox[i].id);
}

/* What travels to a worker that ends a job says which job it is for; what runs must be hit. */
static void signalled(struct fake_worker *fw, struct future *f)
{
	if (f->state == FUTURE_RUNNING)
		rung(fw, f);
}

static bool may_fork(struct fake_worker *fw)
{
	struct world *w = world_of(fw);

	if (fw->slot->pool->state != POOL_READY || w->core->is_draining)
		world_fail(w, "a worker is asked for when there must be none");
	if (!w->is_ending && world_once_in(w, w->fork_refused_in))
		return false;
	sizes_forked(w, fw);
	fw->kind = KIND_GOOD;
	if (!w->is_ending && world_once_in(w, w->hostile_in))
		fw->kind = world_once_in(w, 2) ? w->kind : (unsigned)world_below(w, _KIND_MAX);
	world_say(w, "worker %s/%u is forked, kind %u", workers_pool(fw), workers_number(fw),
		fw->kind);
	return true;
}

/* While the daemon looks at one side of a link, the worker works on the other. */
static void race(struct fake_worker *fw)
{
	struct world *w = world_of(fw);

	while (world_once_in(w, w->race_in) && fw->life == FAKE_UP) {
		workers_live(w, fw);
		fw->fake->now_us += world_below(w, 20);
	}
}

/* At most once, unless its wishes, or a pure function, permit more. */
static void note_start(struct world *w, struct record *r, bool is_beyond_words)
{
	unsigned most = 1u + r->wishes.retries;

	most += r->is_maybe_pure ? r->n_deaths + r->n_free_runs : 0;

	/* A hostile worker may have been killed with it, or not have told its answer. */
	if (r->is_exempt) {
		r->may_run_again |= r->wishes.retries || r->is_maybe_pure;
		most += r->is_maybe_pure ? 4 : 0;
	}
	if (r->n_started > 0 && !r->may_run_again)
		world_fail(w, "job %llu is started again", (unsigned long long)r->id);
	if (++r->n_started > most)
		world_fail(
			w, "job %llu is started %u times", (unsigned long long)r->id, r->n_started);
	if (r->is_end_in_sight && !r->is_exempt && !is_beyond_words)
		world_fail(w, "job %llu is started after its cancel", (unsigned long long)r->id);
	w->n_retries += r->n_started > 1;
	r->may_run_again = false;
	r->is_answered = false;
	r->died_with = false;
}

static void received(struct fake_worker *fw, const struct fake_run *run)
{
	struct world *w = world_of(fw);
	struct record *r = world_record(w, run->id);

	world_say(w, "worker %s/%u receives %llu", workers_pool(fw), workers_number(fw),
		(unsigned long long)run->id);
	r->is_exempt |= fw->kind > KIND_SILENT;
	if (!r->is_exempt && (r->is_final || r->is_gone))
		world_fail(w, "job %llu is received after its end", (unsigned long long)run->id);
}

static void started(struct fake_worker *fw, const struct fake_run *run)
{
	struct world *w = world_of(fw);
	struct record *r = world_record(w, run->id);

	world_say(w, "worker %s/%u starts %llu", workers_pool(fw), workers_number(fw),
		(unsigned long long)run->id);
	note_start(w, r, fw->kind == KIND_DEAF || fw->has_kill || fw->has_bell);
	graph_check_start(w, r);
	if (!r->is_exempt && (r->is_final || r->is_gone))
		world_fail(w, "job %llu is started after its end", (unsigned long long)run->id);
}

static void told(struct fake *fake, struct fake_waiter *fw, struct future *f)
{
	struct world *w = fake->user;
	struct world_waiter *waiter = (struct world_waiter *)(void *)fw;

	if (!waiter->is_waiting || waiter->id != f->id || fw->w.is_waiting)
		world_fail(
			w, "a waiter is told what it did not ask: %llu", (unsigned long long)f->id);
	if (!future_state_is_final(f->state))
		world_fail(w, "a waiter of %llu is told before its end", (unsigned long long)f->id);
	waiter->is_waiting = false;
	if (!world_once_in(w, w->reenter_in))
		return;
	switch (world_below(w, 4)) {
	case 0:
		world_record(w, f->id)->is_released = true;
		core_release(w->core, f);
		break;
	case 1:
		waiter = &w->waiters[world_below(w, WORLD_WAITERS)];
		core_unwait(w->core, &waiter->fake.w);
		waiter->is_waiting = false;
		break;
	case 2: clients_cancel(w); break;
	case 3:
		for (unsigned i = 0; i < WORLD_PINS; i++)
			if (!w->pins[i]) {
				core_pin(f);
				w->pins[i] = f;
				break;
			}
		break;
	}
}

void witness_hooks(struct fake_hooks *hooks)
{
	*hooks = (struct fake_hooks){.may_hand_over = may_hand_over,
		.is_too_large = is_too_large,
		.packed = packed,
		.handed_over = handed_over,
		.rung = rung,
		.signalled = signalled,
		.may_fork = may_fork,
		.race = race,
		.received = received,
		.started = started,
		.told = told};
	sizes_hooks(hooks);
	reload_hooks(hooks);
}
