#include "tests/lib/fake_worker.h"

#include <stdlib.h>
#include <string.h>

/* ---- the link ----------------------------------------------------------------------------------
 */

static bool put_packet(struct fake_worker *w, struct fake_packet p)
{
	if (w->n_inbox >= w->inbox_size)
		return false;
	if (!w->n_inbox)
		w->lies_since_us = w->fake->now_us;
	w->inbox[w->n_inbox++] = p;
	return true;
}

static struct fake_packet take_packet(struct fake_worker *w)
{
	struct fake_packet p = w->inbox[0];

	memmove(w->inbox, w->inbox + 1, --w->n_inbox * sizeof(p));
	return p;
}

static void race(struct fake_worker *w)
{
	if (w->fake->hooks.race)
		w->fake->hooks.race(w);
}

int fake_hand_over(void *shell, struct slot *s, struct future *f)
{
	struct fake_worker *w = s->shell;
	struct fake *fake = shell;

	if (w->is_known_dead || w->is_given_up)
		return CORE_E_LATER;
	if (fake->hooks.is_too_large && fake->hooks.is_too_large(w, f))
		return CORE_E_TOO_LARGE;
	if (fake->hooks.may_hand_over && !fake->hooks.may_hand_over(w, f))
		return CORE_E_LATER;
	if (!put_packet(w, (struct fake_packet){.msgid = f->msgid, .id = f->id}))
		return CORE_E_LATER;
	fake->n_hand_overs++;
	if (fake->hooks.handed_over)
		fake->hooks.handed_over(w, f);
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
		struct fake_packet p;

		race(w);
		if (!w->n_inbox)
			break;
		p = take_packet(w);
		if (p.is_cancel) {
			w->has_lost_cancel = true;
			continue;
		}
		w->fake->n_taken_back++;
		if (slot_first(s) && slot_first(s)->msgid == p.msgid &&
			slot_is_deaf(s, w->fake->now_us))
			w->is_given_up = w->has_kill = true;
		judge(w, core_taken_back(s, p.msgid));
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
			.value_fds = from.value_bytes > 0,
			.started_us = from.started_us,
			.run_us = from.run_us,
			.rss_kib = from.rss_kib};
		if (from.value_bytes)
			a.value = fake_payload(w->fake, from.value_bytes, 1);
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
	(void)put_packet(w, (struct fake_packet){.is_cancel = true, .id = f->id});
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

static bool holds(const struct fake_worker *w, uint64_t id)
{
	for (unsigned i = 0; i < w->n_held; i++)
		if (w->held[i].id == id)
			return true;
	return false;
}

bool fake_receive(struct fake_worker *w)
{
	struct fake_packet p;

	if (w->life != FAKE_UP || !w->n_inbox || (!w->inbox[0].is_cancel && w->n_held >= FAKE_HELD))
		return false;
	p = take_packet(w);
	if (p.is_cancel) {
		w->is_told_to_cancel |= holds(w, p.id);
		return true;
	}
	if (!w->n_held)
		w->held_since_us = w->fake->now_us;
	heard_of(w);
	w->held[w->n_held++] = p;
	if (w->fake->hooks.received)
		w->fake->hooks.received(w, &p);
	return true;
}

bool fake_answer(struct fake_worker *w, struct fake_answer a)
{
	if (w->life != FAKE_UP || !w->n_held || w->n_outbox >= FAKE_OUTBOX)
		return false;
	a.msgid = w->held[0].msgid;
	w->outbox[w->n_outbox++] = a;
	memmove(w->held, w->held + 1, --w->n_held * sizeof(w->held[0]));
	w->held_since_us = w->fake->now_us;
	w->is_told_to_cancel = false;
	return true;
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
	if (w->n_held && w->n_inbox && w->inbox[0].is_cancel)
		fake_receive(w);
	return w->n_held && w->is_told_to_cancel;
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
