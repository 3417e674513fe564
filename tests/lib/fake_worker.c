#include "tests/lib/fake_worker.h"

#include <stdlib.h>
#include <string.h>

/* ---- the link ----------------------------------------------------------------------------------
 */

static unsigned n_packets(const struct fake_worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_inbox; i++)
		n += !w->inbox[i].shares;
	return n;
}

/* How many jobs are in the first packet. */
static unsigned in_packet(struct future *const *jobs, unsigned n)
{
	unsigned i = 1;

	while (i < n && jobs[i]->run->place > 0)
		i++;
	return i;
}

/* Of these, in whole packets, so many find room and are not refused. */
static unsigned accepted(struct fake_worker *w, struct future *const *jobs, unsigned n)
{
	const struct fake_hooks *hooks = &w->fake->hooks;
	unsigned n_there = n_packets(w), i = 0;

	while (i < n && n_there++ < w->inbox_size) {
		unsigned n_more = in_packet(jobs + i, n - i);

		if (w->n_inbox + i + n_more > FAKE_INBOX ||
			(hooks->may_hand_over && !hooks->may_hand_over(w, jobs[i])))
			break;
		w->fake->n_packs += n_more > 1;
		i += n_more;
	}
	return i;
}

static void put(struct fake_worker *w, struct fake_run run)
{
	if (!w->n_inbox)
		w->lies_since_us = w->fake->now_us;
	w->inbox[w->n_inbox++] = run;
}

/* The next packet: how many runs it is. */
static unsigned take_packet(struct fake_worker *w, struct fake_run *to)
{
	unsigned n = 0;

	do
		to[n] = w->inbox[n];
	while (++n < w->n_inbox && w->inbox[n].shares);
	w->n_inbox -= n;
	memmove(w->inbox, w->inbox + n, w->n_inbox * sizeof(*to));
	return n;
}

static void race(struct fake_worker *w)
{
	if (w->fake->hooks.race)
		w->fake->hooks.race(w);
}

int fake_hand_over(
	void *shell, struct slot *s, struct future *const *jobs, unsigned n, unsigned *ret_n)
{
	struct fake_worker *w = s->shell;
	struct fake *fake = shell;
	const struct fake_hooks *hooks = &fake->hooks;

	if (w->is_known_dead || w->is_given_up)
		return CORE_E_LATER;
	if (n == 1 && hooks->is_too_large && hooks->is_too_large(w, jobs[0]))
		return CORE_E_TOO_LARGE;
	n = accepted(w, jobs, n);
	if (n == 0)
		return CORE_E_LATER;
	*ret_n = n;
	fake->n_hand_overs += n;
	if (hooks->packed)
		hooks->packed(w, jobs, n);
	for (unsigned i = 0; i < n; i++) {
		put(w, (struct fake_run){.shares = jobs[i]->run->place > 0,
			       .msgid = jobs[i]->run->msgid,
			       .id = jobs[i]->id});
		if (hooks->handed_over)
			hooks->handed_over(w, jobs[i]);
	}
	if (hooks->packed)
		hooks->packed(w, jobs, 0);
	return 0;
}

/* A worker that breaks its protocol is killed. */
static void judge(struct fake_worker *w, int r)
{
	if (r == 0)
		return;
	w->fake->n_violations++;
	w->has_kill = true;
}

static void heard_of(struct fake_worker *w)
{
	w->lain_us = 0;
	w->lies_since_us = w->fake->now_us;
}

static void answered(struct fake_worker *w, int r)
{
	heard_of(w);
	judge(w, r);
	if (r == 0 && w->fake->hooks.answered)
		w->fake->hooks.answered(w);
}

void fake_take_back(void *shell, struct slot *s)
{
	struct fake_worker *w = s->shell;

	if (w->n_inbox)
		w->lain_us += w->fake->now_us - w->lies_since_us;
	w->lies_since_us = w->fake->now_us;

	while (!w->is_deaf) {
		struct fake_run runs[POOL_PACK_JOBS];
		unsigned n;

		race(w);
		if (!w->n_inbox)
			break;
		n = take_packet(w, runs);
		if (runs[0].is_cancel) {
			w->has_lost_cancel = true;
			continue;
		}
		w->fake->n_taken_back += n;
		if (slot_first(s) && slot_first(s)->run->msgid == runs[0].msgid &&
			slot_is_deaf(s, w->fake->now_us))
			w->is_given_up = w->has_kill = true;
		judge(w, core_taken_back(s, runs[0].msgid));
	}
}

void fake_read_answers(void *shell, struct slot *s)
{
	struct fake_worker *w = s->shell;

	while (!w->is_deaf) {
		struct fake_answer from;
		struct answer a;

		race(w);
		if (!w->n_outbox)
			break;
		from = w->outbox[0];
		if (w->n_unsent >= w->n_outbox)
			w->n_unsent = w->n_outbox - 1;
		memmove(w->outbox, w->outbox + 1, --w->n_outbox * sizeof(from));
		if (from.is_recycle) {
			w->is_retired = true;
			core_worker_recycles(s, w->fake->now_us);
			continue;
		}
		a = (struct answer){.msgid = from.msgid,
			.is_failure = from.is_failure,
			.failure = from.failure,
			.value_bytes = from.value_bytes,
			.value_fds = !from.is_inline &&
				     from.value_bytes > s->pool->config.packed_result_bytes,
			.started_us = from.started_us,
			.run_us = from.run_us,
			.rss_kib = from.rss_kib};
		if (from.value_bytes)
			a.value = fake_payload(w->fake, from.value_bytes, a.value_fds);
		answered(w, core_answered(s, &a, w->fake->now_us));
	}
}

void fake_ring(void *shell, struct slot *s, struct future *f)
{
	struct fake_worker *w = s->shell;

	w->fake->n_rings++;
	w->n_rung++;
	if (w->fake->hooks.rung)
		w->fake->hooks.rung(w, f);
	if (w->n_inbox < FAKE_INBOX) /* it is small */
		put(w, (struct fake_run){.is_cancel = true, .id = f->id});
	w->has_bell = true;
}

int fake_signal(void *shell, struct slot *s, struct future *f, int signo)
{
	struct fake_worker *w = s->shell;

	w->fake->n_signals++;
	if (w->fake->hooks.signalled)
		w->fake->hooks.signalled(w, f);
	return 0;
}

void fake_kill(void *shell, struct slot *s)
{
	struct fake_worker *w = s->shell;

	w->fake->n_kills++;
	w->has_kill = true;
}

void fake_close_link(void *shell, struct slot *s)
{
	struct fake_worker *w = s->shell;

	w->fake->n_closes++;
	w->is_closed = true;
	if (w->fake->hooks.closed)
		w->fake->hooks.closed(w);
}

void fake_hire(struct fake *fake, struct slot *s)
{
	struct fake_worker *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	*w = (struct fake_worker){
		.fake = fake, .slot = s, .inbox_size = FAKE_INBOX, .next = fake->workers};
	fake->workers = w;
	s->shell = w;
}

bool fake_fork(void *shell, struct slot *s)
{
	struct fake_worker *w;

	if (!s->shell)
		fake_hire(shell, s);
	w = s->shell;
	if (w->life != FAKE_NONE)
		abort();
	if (w->fake->hooks.may_fork && !w->fake->hooks.may_fork(w))
		return false;
	*w = (struct fake_worker){.fake = w->fake,
		.slot = s,
		.next = w->next,
		.life = FAKE_STARTING,
		.inbox_size = w->inbox_size,
		.kind = w->kind};
	w->fake->n_forks++;
	return true;
}

/* ---- workers -----------------------------------------------------------------------------------
 */

static void start(struct fake_worker *w, struct fake_run *run)
{
	run->has_started = true;
	w->held_since_us = w->fake->now_us;
	if (w->fake->hooks.started)
		w->fake->hooks.started(w, run);
}

static void note_cancel(struct fake_worker *w, uint64_t id)
{
	for (unsigned i = 0; i < w->n_held; i++)
		w->held[i].is_told |= w->held[i].id == id;
}

bool fake_receive(struct fake_worker *w)
{
	struct fake_run *runs = &w->held[w->n_held], cancel;

	if (w->life != FAKE_UP || !w->n_inbox)
		return false;
	if (w->inbox[0].is_cancel) {
		take_packet(w, &cancel);
		note_cancel(w, cancel.id);
		return true;
	}
	if (w->n_held + POOL_PACK_JOBS > FAKE_HELD)
		return false;
	w->n_held += take_packet(w, runs);
	w->n_unsent = 0;
	heard_of(w);
	for (struct fake_run *run = runs; run < &w->held[w->n_held]; run++)
		if (w->fake->hooks.received)
			w->fake->hooks.received(w, run);
	start(w, runs);
	return true;
}

static void answer_first(struct fake_worker *w, struct fake_answer a)
{
	a.run = w->held[0];
	a.msgid = a.run.msgid;
	w->outbox[w->n_outbox++] = a;
	memmove(w->held, w->held + 1, --w->n_held * sizeof(w->held[0]));
	w->n_unsent = w->n_held && w->held[0].shares ? w->n_unsent + 1 : 0;
}

bool fake_answer(struct fake_worker *w, struct fake_answer a)
{
	if (w->life != FAKE_UP || !w->n_held || w->n_outbox + w->n_held > FAKE_OUTBOX)
		return false;
	answer_first(w, a);
	while (w->n_held && w->held[0].shares && w->held[0].is_told)
		answer_first(
			w, (struct fake_answer){.is_failure = true, .failure = FAILURE_FUNCTION});
	if (w->n_held && w->held[0].shares)
		start(w, &w->held[0]);
	w->held_since_us = w->fake->now_us;
	return true;
}

void fake_unsend(struct fake_worker *w, unsigned n)
{
	for (; n > 0 && w->n_unsent > 0 && w->n_outbox > 0; n--, w->n_unsent--) {
		memmove(w->held + 1, w->held, w->n_held++ * sizeof(w->held[0]));
		w->held[0] = w->outbox[--w->n_outbox].run;
	}
}

bool fake_recycle(struct fake_worker *w)
{
	if (w->life != FAKE_UP || w->n_outbox >= FAKE_OUTBOX)
		return false;
	w->outbox[w->n_outbox++] = (struct fake_answer){.is_recycle = true};
	return true;
}

bool fake_hear_bell(struct fake_worker *w)
{
	if (w->life != FAKE_UP || !w->has_bell)
		return false;
	w->has_bell = false;
	while (w->n_held && w->n_inbox && w->inbox[0].is_cancel)
		fake_receive(w);
	return w->n_held && w->held[0].is_told;
}

bool fake_die(struct fake_worker *w)
{
	if (w->life != FAKE_UP && w->life != FAKE_STARTING)
		return false;
	w->life = FAKE_DEAD;
	return true;
}

/* ---- the daemon --------------------------------------------------------------------------------
 */

bool fake_ready(struct fake_worker *w)
{
	if (w->life != FAKE_STARTING)
		return false;
	w->life = FAKE_UP;
	if (w->fake->hooks.ready)
		w->fake->hooks.ready(w);
	core_worker_ready(w->slot, w->fake->now_us);
	return true;
}

bool fake_read(struct fake_worker *w)
{
	if (w->life == FAKE_NONE || !w->n_outbox)
		return false;
	fake_read_answers(w->fake, w->slot);
	return true;
}

bool fake_notice_death(struct fake_worker *w)
{
	if (w->life != FAKE_DEAD)
		return false;
	w->is_deaf = false;
	w->is_known_dead = true;
	fake_read_answers(w->fake, w->slot);
	fake_take_back(w->fake, w->slot);
	return true;
}

bool fake_reap(struct fake_worker *w)
{
	if (!fake_notice_death(w))
		return false;
	w->life = FAKE_NONE;
	if (w->fake->hooks.died)
		w->fake->hooks.died(w);
	core_worker_died(w->slot,
		&(struct worker_end){.how = "it died", .was_killed = w->was_killed},
		w->fake->now_us);
	return true;
}
