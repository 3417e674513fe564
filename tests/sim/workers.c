/* Workers, zygotes and the kernel: what they do on their own, and when the daemon hears of it. */
#include "tests/sim/world.h"

/* ---- single moves -------------------------------------------------------------------------------
 */

/* Of a packet the first one that is not answered bears it. Others may have run, too: their answers
 * waited for it. */
static void note_death(struct world *w, const struct fake_run *run, bool is_first)
{
	struct record *r = world_record(w, run->id);

	r->must_be_alone = true;
	r->is_answered = false;
	if (run->shares && !is_first) {
		r->may_run_again |= run->has_started;
		r->n_free_runs += run->has_started;
		return;
	}
	r->died_with = true;
	r->n_deaths++;
	r->may_run_again |= r->is_maybe_pure || r->wishes.retry_on & RETRY_ON_LOST;
}

static void die(struct world *w, struct fake_worker *fw)
{
	if (!fake_die(fw))
		return;
	fw->was_killed = world_once_in(w, 3);
	world_say(w, "worker %s/%u dies", workers_pool(fw), workers_number(fw));
	if (fw->kind < KIND_OLD && world_once_in(w, 2))
		fake_unsend(fw, 1 + (unsigned)world_below(w, POOL_PACK_JOBS));
	for (unsigned i = 0; i < fw->n_held; i++)
		note_death(w, &fw->held[i], i == 0);
	fw->is_deaf = !w->is_ending && world_once_in(w, 4);
}

static struct fake_answer some_answer(struct world *w, const struct fake_worker *fw)
{
	uint64_t max = fw->slot->pool->config.max_result_bytes;
	struct fake_answer a = {.is_failure = world_once_in(w, 5)};

	a.value_bytes = world_below(w, max + 1);
	a.is_inline = world_once_in(w, 4);
	if (a.is_failure)
		a.failure = FAILURE_FUNCTION;
	if (!world_once_in(w, 4))
		a.rss_kib = 1 + world_below(w, WORLD_RSS_KIB);
	if (!world_once_in(w, 3)) {
		a.started_us = fw->held_since_us;
		a.run_us = fw->fake->now_us - fw->held_since_us;
	}
	if (w->is_quick) {
		a.started_us = fw->fake->now_us;
		a.run_us = 0;
	}
	if (fw->kind > KIND_SILENT) {
		a.started_us = world_below(w, 2 * fw->fake->now_us);
		a.run_us = world_below(w, 2 * fw->fake->now_us);
	}
	return a;
}

/* A good worker says so of a result that has no room where it shares a packet; others may send it.
 */
static bool has_no_room(
	struct world *w, const struct fake_worker *fw, bool shares, struct fake_answer *a)
{
	if (!shares || a->value_bytes <= fw->slot->pool->config.packed_result_bytes)
		return false;
	if (!world_once_in(w, 4)) {
		a->is_failure = true;
		a->failure = FAILURE_TOO_LARGE;
		a->value_bytes = 0;
	}
	return true;
}

/* Nobody is told of a run that had no room for its result. */
static void note_answer(
	struct world *w, uint64_t id, const struct fake_answer *a, bool is_to_run_alone)
{
	struct record *r = world_record(w, id);

	if (is_to_run_alone) {
		r->must_be_alone = true;
		r->may_run_again = true;
		r->n_free_runs++;
	}
	r->is_answered = !is_to_run_alone;
	r->is_answer_failure = a->is_failure;
	r->may_run_again |= a->is_failure && r->wishes.retry_on & RETRY_ON_FAILED;
}

static void hear_bell(struct world *w, struct fake_worker *fw);

/* Before the next run of a packet it looks whether the bell rang. It may ring just then. */
static void answer(struct world *w, struct fake_worker *fw)
{
	struct fake_answer a = some_answer(w, fw);
	bool is_to_run_alone;
	uint64_t id;

	if (fw->n_held > 1 && !world_once_in(w, 4))
		hear_bell(w, fw);
	id = fw->held[0].id;
	if (fw->n_held && !w->is_ending && w->slow_in && world_record(w, id)->uid == w->slow_uid &&
		!world_once_in(w, w->slow_in))
		return;
	is_to_run_alone = has_no_room(w, fw, fw->held[0].shares, &a);
	if (fw->kind == KIND_SILENT || !fw->n_held || !fake_answer(fw, a))
		return;
	world_say(w, "worker %s/%u answers %llu", workers_pool(fw), workers_number(fw),
		(unsigned long long)id);
	note_answer(w, id, &a, is_to_run_alone);
	fw->is_old |= fw->kind == KIND_OLD && world_once_in(w, 3) && fake_recycle(fw);
	if (fw->kind == KIND_WRONG && world_once_in(w, 2))
		fw->outbox[fw->n_outbox - 1].msgid += 1 + (uint32_t)world_below(w, 3);
	if (fw->kind == KIND_TWICE && fw->n_outbox < FAKE_OUTBOX && world_once_in(w, 2)) {
		fw->outbox[fw->n_outbox] = fw->outbox[fw->n_outbox - 1];
		fw->n_outbox++;
	}
}

/* It answers what lies in its inbox, as if it had received it. */
static void answer_unseen(struct world *w, struct fake_worker *fw)
{
	struct fake_answer a = some_answer(w, fw);

	if (!fw->n_inbox || fw->inbox[0].is_cancel || fw->n_outbox >= FAKE_OUTBOX)
		return;
	a.msgid = fw->inbox[0].msgid;
	fw->outbox[fw->n_outbox++] = a;
	for (unsigned i = 0; i < fw->n_inbox && (i == 0 || fw->inbox[i].shares); i++) {
		world_record(w, fw->inbox[i].id)->is_exempt = true;
		world_record(w, fw->inbox[i].id)->may_run_again = true;
	}
	world_say(w, "worker %s/%u answers %llu unseen", workers_pool(fw), workers_number(fw),
		(unsigned long long)fw->inbox[0].id);
}

static void hear_bell(struct world *w, struct fake_worker *fw)
{
	if (!fw->has_bell)
		return;
	world_say(w, "worker %s/%u hears the bell", workers_pool(fw), workers_number(fw));
	if (fw->kind == KIND_FRAGILE)
		die(w, fw);
	else if (fw->kind == KIND_DEAF)
		fw->has_bell = false;
	else if (fake_hear_bell(fw) && !world_once_in(w, 3))
		answer(w, fw);
}

static void receive(struct world *w, struct fake_worker *fw)
{
	if (fw->n_held && fw->kind != KIND_GREEDY)
		return;
	if (fw->kind == KIND_DEAF && !w->is_ending && !world_once_in(w, 20))
		return;
	fake_receive(fw);
}

static void start(struct world *w, struct fake_worker *fw)
{
	if (world_once_in(w, w->death_in)) {
		die(w, fw);
	} else {
		world_say(w, "worker %s/%u is ready", workers_pool(fw), workers_number(fw));
		fake_ready(fw);
	}
}

void workers_live(struct world *w, struct fake_worker *fw)
{
	switch (world_below(w, 6)) {
	case 0:
	case 1: answer(w, fw); break;
	case 2:
	case 3: receive(w, fw); break;
	case 4: hear_bell(w, fw); break;
	case 5:
		if (fw->kind == KIND_EAGER)
			answer_unseen(w, fw);
		if (fw->is_closed && !fw->n_inbox && !fw->n_held && fw->kind != KIND_DEAF)
			die(w, fw);
		if (fw->has_kill || world_once_in(w, w->death_in))
			die(w, fw);
		break;
	}
}

static void act(struct world *w, struct fake_worker *fw)
{
	if (fw->life == FAKE_UP)
		workers_live(w, fw);
	else if (fw->life == FAKE_STARTING && world_once_in(w, w->slow_start_in))
		start(w, fw);
}

/* ---- moves of the world -------------------------------------------------------------------------
 */

static void reap(struct world *w, struct fake_worker *fw)
{
	if (fw->life != FAKE_DEAD)
		return;
	if (!w->is_ending && world_once_in(w, 3)) {
		world_say(w, "worker %s/%u is seen dead", workers_pool(fw), workers_number(fw));
		fake_notice_death(fw);
		return;
	}
	world_say(w, "worker %s/%u is reaped", workers_pool(fw), workers_number(fw));
	fake_reap(fw);
}

static void zygote(struct world *w, struct pool *p)
{
	if (p->state == POOL_STARTING) {
		world_say(w, "zygote %s is ready", p->name);
		pool_clear_functions(p);
		if (pool_put_function(p, "f", "", false) != 0 ||
			pool_put_function(p, "g", "", true) != 0)
			world_fail(w, "no memory");
		core_pool_ready(p);
	} else if (p->state == POOL_READY && !w->is_ending) {
		world_say(w, "zygote %s dies", p->name);
		core_pool_starting(p);
		for (unsigned i = 0; i < p->n_slots; i++)
			if (fake_worker(p, i)->life == FAKE_STARTING) {
				die(w, fake_worker(p, i));
				reap(w, fake_worker(p, i));
			}
	}
}

/* Some of a pool's workers answer, all at once. */
static void busy_spell(struct world *w, struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct fake_worker *fw = fake_worker(p, i);

		if (world_once_in(w, 2) || fw->life != FAKE_UP)
			continue;
		receive(w, fw);
		if (fw->n_held)
			answer(w, fw);
		fake_read(fw);
	}
}

static void move(struct world *w)
{
	struct pool *p = w->pools[world_below(w, w->n_pools)];
	struct fake_worker *fw = fake_worker(p, (unsigned)world_below(w, p->n_slots));
	uint64_t chance = world_below(w, 1000);

	if (chance < 10 && world_once_in(w, w->reload_in)) {
		reload_move(w);
	} else if (chance < 10 || (p->state == POOL_STARTING && chance < 200)) {
		zygote(w, p);
	} else if (chance == 10 && w->may_fail_pool && !pool_is_closed(p)) {
		world_say(w, "pool %s fails", p->name);
		core_pool_failed(p, "its preload failed", w->fake.now_us);
	} else if (chance < 30) {
		busy_spell(w, p);
	} else if (chance < 40 && world_once_in(w, w->operate_in)) {
		sizes_move(w);
	} else if (chance < 300) {
		fake_read(fw);
	} else if (chance < 400) {
		reap(w, fw);
	} else {
		act(w, fw);
	}
}

void workers_move(struct world *w)
{
	for (uint64_t n = 1 + world_below(w, 8); n > 0; n--)
		move(w);
}

/* What it has to do once the others behave. */
static void do_duty(struct world *w, struct fake_worker *fw)
{
	if (fw->life == FAKE_STARTING)
		start(w, fw);
	for (int i = 0; i < 10 && fw->life == FAKE_UP; i++) {
		if (fw->has_kill || fw->kind == KIND_SILENT)
			die(w, fw);
		hear_bell(w, fw);
		answer(w, fw);
		receive(w, fw);
		if (fw->is_closed && !fw->n_inbox && !fw->n_held && fw->kind != KIND_DEAF)
			die(w, fw);
	}
}

void workers_settle(struct world *w)
{
	w->death_in = 0;
	for (unsigned i = 0; i < w->n_pools; i++) {
		struct pool *p = w->pools[i];

		if (p->state == POOL_STARTING)
			zygote(w, p);
		for (unsigned k = 0; k < p->n_slots; k++) {
			do_duty(w, fake_worker(p, k));
			fake_read(fake_worker(p, k));
			reap(w, fake_worker(p, k));
		}
	}
}
