/* Room for a result.
 *
 * Before a job is handed over, room for its result (max_result) is taken from its owner's account,
 * so that no result ever finds its owner's quota full. A job whose reservation does not fit stays
 * in the queue. What one result takes is the same for all jobs of a pool, but for those that share
 * a packet: the first has room for any result, the others for one that needs no memory of its own,
 * which nearly all results of such short jobs are. Else a few dozens of them would hold all of an
 * account. A result that is larger after all is not taken: its job may run twice, so it does, with
 * a packet and all the room for itself.
 *
 * What jobs hold while they wait has to leave room for a result, or none of them would ever start.
 * Whoever can start next has that room: a job that waits for another's end leaves it for that one's
 * result, too, for those that one waits for, and so on.
 */
#include "daemon/core/reservation.h"

#include <assert.h>

struct amounts reservation_of(const struct pool *p)
{
	return (struct amounts){.n = {
					[ACCOUNT_BYTES] = p->config.max_result_bytes,
					[ACCOUNT_FDS] = p->config.max_result_fds,
				}};
}

struct amounts reservation_of_packed(const struct pool *p)
{
	return (struct amounts){.n = {[ACCOUNT_BYTES] = p->config.packed_result_bytes}};
}

bool reservation_never_fits(const struct pool *p)
{
	const struct account_limits *max = &p->core->accounts.limits;
	struct amounts want = reservation_of(p);

	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		if (want.n[k] > max->uid.n[k] || want.n[k] > max->all.n[k])
			return true;
	return false;
}

static bool leaves_any(const struct account *a, const struct pool *p)
{
	struct amounts want = reservation_of(p);

	return account_jobs_leave(a, &want) && accounts_jobs_leave(&p->core->accounts, &want);
}

/* Who was admitted by other limits is never stuck: at worst one result at a time is let in.
 * Those that wait for another's end wait for one that is in a queue, or for one that waits so
 * itself, or for one of another account, which may have all that it needs. */
bool reservation_is_stuck(const struct future *f)
{
	struct core *c = future_pool(f)->core;
	struct amounts want = reservation_of(future_pool(f));
	bool is_of_uid = !account_is_lenient(f->account) && !account_jobs_leave(f->account, &want);
	const struct pool *p;

	if (is_of_uid ? !account_is_idle(f->account)
		      : c->accounts.is_lenient || accounts_jobs_leave(&c->accounts, &want) ||
				!accounts_are_idle(&c->accounts))
		return false;
	if (!TAILQ_EMPTY(&c->settling)) {
		c->is_awaited = true; /* the last of them may start nothing */
		return false;
	}
	TAILQ_FOREACH (p, &c->pools, in_core)
		if (p->queue.n && (!is_of_uid || queue_holds(&p->queue, future_uid(f))) &&
			(reservation_never_fits(p) || leaves_any(f->account, p)))
			return false;
	return true;
}

struct amounts reservation_beside(const struct pool *p)
{
	return reservation_never_fits(p) ? (struct amounts){0} : reservation_of(p);
}

static void widen(struct amounts *room, uint64_t bytes, uint64_t fds)
{
	if (room->n[ACCOUNT_BYTES] < bytes)
		room->n[ACCOUNT_BYTES] = bytes;
	if (room->n[ACCOUNT_FDS] < fds)
		room->n[ACCOUNT_FDS] = fds;
}

static void widen_after(struct amounts *room, const struct after *after, uint32_t n_after)
{
	for (uint32_t i = 0; i < n_after; i++) {
		const struct future *on = after[i].on;
		struct amounts its = {0};

		if (future_pool(on) && !future_state_is_final(on->state))
			its = reservation_beside_job(on);
		widen(room, its.n[ACCOUNT_BYTES], its.n[ACCOUNT_FDS]);
	}
}

struct amounts reservation_beside_after(
	const struct pool *p, const struct after *after, uint32_t n_after)
{
	struct amounts room = reservation_beside(p);

	widen_after(&room, after, n_after);
	return room;
}

struct amounts reservation_beside_job(const struct future *f)
{
	struct amounts room = reservation_beside(future_pool(f));
	const struct terms *t = future_terms(f);

	if (t)
		widen(&room, t->room_bytes, t->room_fds);
	return room;
}

void reservation_note_after(struct future *f, const struct after *after, uint32_t n_after)
{
	struct terms *t = future_terms(f);
	struct amounts room = {0};

	widen_after(&room, after, n_after);
	t->room_bytes = room.n[ACCOUNT_BYTES];
	t->room_fds = (uint32_t)room.n[ACCOUNT_FDS];
}

void reservation_take(struct future *f)
{
	const struct pool_config *config = &future_pool(f)->config;
	struct run *run = f->run;

	run->result_bytes = run->place ? config->packed_result_bytes : config->max_result_bytes;
	run->result_fds = run->place ? 0 : config->max_result_fds;
	account_take_result(f->account, run->result_bytes, run->result_fds);
	f->is_reserved = true;
}

/* The pool's max_result may be another one by now. */
void reservation_give(struct future *f)
{
	assert(f->is_reserved);
	account_give_result(f->account, f->run->result_bytes, f->run->result_fds);
	f->is_reserved = false;
}

bool reservation_exceeded(const struct future *f, uint64_t bytes, uint16_t fds)
{
	return bytes > f->run->result_bytes || fds > f->run->result_fds;
}
