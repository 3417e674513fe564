/* A graph without cycles by construction: a job can only wait for futures that exist when it is
 * submitted, so every edge leads from a younger one to an older one.
 *
 * An edge lies in the terms of the dependent and stands in the list of the future that it waits
 * for. When that is final it is pinned and put into the core's list `settling`; each turn goes
 * through a share of the dependents in that list. One whose last edge is settled enters the queue;
 * one that can never run is aborted, which makes it final, so it joins the list itself. So nothing
 * here calls itself, and a chain of any length or a future with any number of dependents costs a
 * turn no more than EDGES_A_TURN. Submitting a job after one that is final already goes the same
 * way.
 *
 * An edge to an input pins that future from the submit until the job's own input is dropped: when
 * the job is done, or is forgotten. So a value that was released stays, charged to its owner, until
 * the last job that uses it is through, and a job that ended badly can be tried again with it.
 * Nobody can give that room back before such a job's end, so until then it counts among what jobs
 * hold.
 */
#include "daemon/core/edge.h"

#include <assert.h>
#include <utlist.h>

#include "daemon/core/attempt.h"
#include "daemon/core/life.h"
#include "daemon/core/terms.h"

/* Edges that one turn settles; aborting a job takes a microsecond or two. */
#define EDGES_A_TURN 2000

static void settle_later(struct core *c, struct future *f)
{
	if (f->is_settling)
		return;
	f->is_settling = true;
	if (f->shelf_row)
		life_arm(c, f);
	core_pin(f);
	TAILQ_INSERT_TAIL(&c->settling, f, in_line);
}

static struct amounts lent_by(const struct future *on)
{
	return (struct amounts){
		.n = {[ACCOUNT_BYTES] = future_lent_bytes(on), [ACCOUNT_FDS] = on->kept_fds}};
}

static void lend(struct future *on)
{
	struct amounts lent;

	on->later_bytes = 0;
	lent = lent_by(on);
	account_hold(on->account, &lent);
}

static bool is_foreign(const struct edge *e)
{
	return e->on->account != e->dependent->account;
}

/* Values of others, which an administrator may name, are for them to take care of. */
static bool is_use(const struct edge *e)
{
	return e->is_input && e->on && e->on->account == e->dependent->account;
}

static void begin_use(struct edge *e)
{
	if (is_use(e) && e->on->n_users++ == 0 && future_state_is_final(e->on->state))
		lend(e->on);
}

static void end_use(struct edge *e)
{
	struct amounts lent;

	if (!is_use(e) || --e->on->n_users > 0 || !future_state_is_final(e->on->state))
		return;
	lent = lent_by(e->on);
	account_job_over(e->on->account, &lent);
}

void edges_lend_less(struct future *f, uint64_t bytes)
{
	uint64_t lent = future_lent_bytes(f);
	struct amounts less = {.n = {[ACCOUNT_BYTES] = bytes < lent ? bytes : lent}};

	if (!f->n_users || !future_state_is_final(f->state))
		return;
	f->later_bytes -= (uint32_t)(bytes - less.n[ACCOUNT_BYTES]);
	account_job_over(f->account, &less);
}

void edges_end_uses(struct future *f)
{
	struct terms *t = future_terms(f);

	for (uint32_t i = 0; t && i < t->n_edges; i++)
		end_use(&t->edges[i]);
}

void edges_tie(struct core *c, struct future *f, const struct after *after)
{
	struct terms *t = future_terms(f);

	for (uint32_t i = 0; t && i < t->n_edges; i++) {
		struct edge *e = &t->edges[i];

		*e = (struct edge){
			.on = after[i].on,
			.dependent = f,
			.is_any = after[i].is_any,
			.is_input = after[i].is_input,
			.is_left = true,
		};
		DL_APPEND(e->on->dependents, e);
		if (e->is_input)
			core_pin(e->on);
		begin_use(e);
		if (is_foreign(e))
			account_await(f->account);
		if (future_state_is_final(e->on->state))
			settle_later(c, e->on);
		t->n_left++;
	}
}

static void cut(struct edge *e)
{
	DL_DELETE(e->on->dependents, e);
	if (is_foreign(e))
		account_unawait(e->dependent->account);
	e->is_left = false;
	if (!e->is_input)
		e->on = NULL;
	future_terms(e->dependent)->n_left--;
}

static struct future *take_on(struct edge *e)
{
	struct future *on = e->on;

	e->on = NULL;
	return on;
}

void edges_cut(struct future *f)
{
	struct terms *t = future_terms(f);

	for (uint32_t i = 0; t && t->n_left && i < t->n_edges; i++)
		if (t->edges[i].is_left)
			cut(&t->edges[i]);
}

void edges_final(struct core *c, struct future *f)
{
	if (f->n_users)
		lend(f);
	if (f->dependents)
		settle_later(c, f);
}

static void settled(struct core *c, struct future *f)
{
	f->is_settling = false;
	TAILQ_REMOVE(&c->settling, f, in_line);
	core_unpin(c, f);
}

void edges_forget(struct core *c, struct future *f)
{
	edges_cut(f);
	while (f->dependents)
		cut(f->dependents);
	if (f->is_settling)
		TAILQ_REMOVE(&c->settling, f, in_line);
	f->is_settling = false;
}

void edges_drop_inputs(struct core *c, struct future *f)
{
	struct terms *t = future_terms(f);
	struct edge *e;

	for (uint32_t i = 0; t && i < t->n_edges; i++) {
		e = &t->edges[i];
		if (e->is_input && e->on) {
			assert(!e->is_left);
			core_unpin(c, take_on(e));
		}
	}
}

/* What `on` itself was aborted for, or else `on`. */
static uint64_t root_of(const struct future *on)
{
	return on->failure == FAILURE_INPUT ? future_terms(on)->root_id : on->id;
}

static void abort_dependent(struct core *c, struct edge *e, uint64_t now_us)
{
	struct future *f = e->dependent;

	future_terms(f)->root_id = root_of(e->on);
	attempt_withdraw(f);
	life_finish(c, f, FUTURE_ABORTED, FAILURE_INPUT, now_us);
}

static void settle(struct core *c, struct edge *e, uint64_t now_us)
{
	struct future *f = e->dependent;

	if (!e->is_any && e->on->state != FUTURE_DONE) {
		abort_dependent(c, e, now_us);
		return;
	}
	cut(e);
	if (f->state == FUTURE_BLOCKED && !edges_left(f))
		attempt_wake(c, f, now_us);
}

void edges_turn(struct core *c, uint64_t now_us)
{
	struct future *f;

	for (unsigned n = 0; n < EDGES_A_TURN && (f = TAILQ_FIRST(&c->settling)); n++) {
		if (f->dependents)
			settle(c, f->dependents, now_us);
		else
			settled(c, f);
	}
	if (TAILQ_EMPTY(&c->settling) && c->is_awaited) {
		c->is_awaited = false;
		accounts_stir(&c->accounts);
	}
}

uint32_t edges_left(const struct future *f)
{
	return future_terms(f) ? future_terms(f)->n_left : 0;
}

const struct future *edges_first(const struct future *f)
{
	const struct terms *t = future_terms(f);

	for (uint32_t i = 0; t && t->n_left && i < t->n_edges; i++)
		if (t->edges[i].is_left)
			return t->edges[i].on;
	return NULL;
}

const struct edge *edges_next_input(const struct future *f, const struct edge *e)
{
	const struct terms *t = future_terms(f);
	uint32_t i = e ? (uint32_t)(e - t->edges) + 1 : 0;

	for (; t && i < t->n_edges; i++)
		if (t->edges[i].is_input && t->edges[i].on)
			return &t->edges[i];
	return NULL;
}

uint64_t edges_root(const struct future *f)
{
	return future_terms(f)->root_id;
}
