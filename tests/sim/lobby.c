/* Requests that wait to be let in: the shell's part, and what the witness thinks of the core's
 * verdicts. */
#include "tests/sim/world.h"

typedef unsigned long long ull;

/* Who comes, stays, goes and is looked at in one turn, many times over. */
#define VERDICTS_AT_ONCE 1000

unsigned lobby_n_waiting(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORLD_VISITS; i++)
		n += w->visits[i].is_waiting;
	return n;
}

struct amounts lobby_held(const struct world *w, uint32_t uid)
{
	struct amounts sum = {0};

	for (unsigned i = 0; i < WORLD_VISITS; i++) {
		const struct world_visit *v = &w->visits[i];

		if (!v->is_waiting || v->uid != uid)
			continue;
		sum.n[ACCOUNT_PARKED_BYTES] += v->a.parked_bytes;
		sum.n[ACCOUNT_PARKED_FDS] += v->a.parked_fds;
	}
	return sum;
}

static const struct world_visit *first_of(const struct world *w, uint32_t uid)
{
	const struct world_visit *first = NULL;

	for (unsigned i = 0; i < WORLD_VISITS; i++) {
		const struct world_visit *v = &w->visits[i];

		if (v->is_waiting && v->uid == uid && (!first || v->number < first->number))
			first = v;
	}
	return first;
}

int lobby_expected(struct world *w, const struct submission *s, const uint64_t *want)
{
	const struct world_visit *first = first_of(w, account_uid(s->account));

	if (!s->is_patient || !first || !want[first->a.why.kind])
		return 0;
	return first->a.why.of_uid ? CORE_E_QUOTA : CORE_E_FULL;
}

/* ---- the shell ---- */

/* What it waits for, once it is let in; NULL: that is gone. */
static struct future *awaited(struct world *w, const struct world_visit *v)
{
	return core_find(w->core, v->after_id);
}

/* The pool that now has its name; NULL: none. */
static struct pool *pool_of(struct world *w, const struct world_visit *v)
{
	for (unsigned i = 0; i < w->n_pools; i++)
		if (w->pools[i]->name == v->pool && w->pools[i]->state != POOL_REMOVED)
			return w->pools[i];
	return NULL;
}

static struct submission submission_of(struct world *w, const struct world_visit *v)
{
	struct submission s = v->s;

	s.pool = v->is_job ? pool_of(w, v) : NULL;
	s.function = s.pool ? s.pool->functions : NULL;
	s.is_patient = !v->is_waiting || v != first_of(w, v->uid);
	if (s.pool && v->after_id && awaited(w, v)) {
		w->after[0] = (struct after){.on = awaited(w, v), .is_any = true};
		s.wishes.after = w->after;
		s.wishes.n_after = 1;
	}
	return s;
}

/* All, or none. */
static int try(
	struct world *w, const struct world_visit *v, struct refusal *ret_no, uint64_t *ret_more)
{
	struct submission s = submission_of(w, v);
	struct future *made[8];
	unsigned i, n_left;
	int r = 0;

	for (i = 0; i < v->n && r == 0; i++) {
		s.input = fake_payload(&w->fake, s.input_bytes, s.input_fds);
		r = births_make(w, &s, &made[i], ret_no);
	}
	if (r == 0)
		return 0;
	i--;
	n_left = v->n - 1 - i;
	*ret_more = n_left;
	if (ret_no->kind == ACCOUNT_BYTES)
		*ret_more *= s.input_bytes + births_kept_bytes(&s);
	else if (ret_no->kind == ACCOUNT_FDS)
		*ret_more *= s.input_fds;
	while (i-- > 0)
		births_withdraw(w, made[i]);
	return r;
}

static void leave(struct world *w, struct world_visit *v)
{
	admission_leave(w->core, &v->a);
	v->is_waiting = false;
}

void lobby_leave(struct world *w)
{
	for (unsigned i = 0; i < WORLD_VISITS; i++)
		if (w->visits[i].is_waiting)
			leave(w, &w->visits[i]);
}

static void come(struct world *w, struct world_visit *v)
{
	const struct future *on;
	struct refusal no, why;
	uint64_t more = 0;
	int r;

	*v = (struct world_visit){.number = ++w->n_visits};
	v->uid = (uint32_t)world_below(w, WORLD_UIDS);
	v->is_job = !world_once_in(w, 4) && births_has_jobs(w, v->uid);
	v->pool = world_some_pool(w)->name;
	v->n = v->is_job && world_once_in(w, 2) ? 2 + (unsigned)world_below(w, 6) : 1;
	v->s = (struct submission){.account = w->accounts[v->uid],
		.ttl_us = births_some_ttl(w),
		.input_bytes = world_below(w, world_once_in(w, 3) ? 3000 : 150),
		.input_fds = (uint16_t)world_below(w, 2)};
	v->a = (struct admission){.account = w->accounts[v->uid],
		.until_us = w->fake.now_us + 1 + world_below(w, 40 * w->long_us)};
	on = v->is_job && world_once_in(w, 2) ? graph_some_future(w, v->s.account) : NULL;
	v->after_id = on ? on->id : 0;
	v->a.parked_bytes = 10 + world_below(w, 100);
	v->a.parked_fds = world_below(w, 3);
	r = try(w, v, &why, &more);
	if (r != CORE_E_QUOTA && r != CORE_E_FULL)
		return;
	r = admission_wait(w->core, &v->a, &why, more, &no);
	if (r > 0 && no.value <= no.max && !no.is_behind)
		world_fail(w, "a refusal to wait that refuses nothing");
	v->is_waiting = r == 0;
	w->sum.waited += r == 0;
	world_say(w, "%u of uid %u wait for %s: %d", v->n, v->uid, account_kind_name(why.kind), r);
}

void lobby_move(struct world *w)
{
	struct world_visit *v = &w->visits[world_below(w, WORLD_VISITS)];

	if (!v->is_waiting)
		come(w, v);
	else if (world_once_in(w, 8))
		leave(w, v);
}

/* ---- verdicts ---- */

static struct world_visit *visit_of(struct world *w, const struct admission *a)
{
	for (unsigned i = 0; i < WORLD_VISITS; i++)
		if (a == &w->visits[i].a && w->visits[i].is_waiting)
			return &w->visits[i];
	world_fail(w, "a verdict on nobody");
}

/* What is being sent is pinned for a while, which nobody is told. */
static bool is_pinned(const struct world *w, const struct future *f, bool is_sending_soon_over)
{
	unsigned n = f->n_pins;

	for (unsigned i = 0; i < WORLD_PINS && is_sending_soon_over; i++)
		n -= w->pins[i] == f;
	return n > 0;
}

/* Of this limit, what goes of his by time, as far as it does so before his own is over. */
static uint64_t goes_in_time(
	struct world *w, const struct world_visit *v, bool is_sending_soon_over)
{
	enum account_kind kind = v->a.why.kind;
	const struct future *f;
	uint64_t sum = 0;

	CORE_FOREACH (f, w->core) {
		const struct record *r = world_record(w, f->id);

		if (future_uid(f) != v->uid || is_pinned(w, f, is_sending_soon_over) ||
			f->is_released || (!f->timer.pos && !f->shelf_row) ||
			heap_after(future_finished_us(f), r->ttl_us) > v->a.until_us)
			continue;
		sum += kind == ACCOUNT_FUTURES ? 1 : 0;
		sum += kind == ACCOUNT_BYTES ? f->kept_bytes + f->input_bytes : 0;
		sum += kind == ACCOUNT_FDS ? (uint64_t)f->kept_fds + f->input_fds : 0;
	}
	return sum;
}

/* Can anything but his own release make room for all that he wants of what refused him? */
static bool has_hope(struct world *w, const struct world_visit *v, bool is_sending_soon_over)
{
	const struct refusal *why = &v->a.why;
	const struct amounts *mine = account_used(v->a.account), *all = &w->core->accounts.used;
	const struct amounts *used = why->of_uid ? mine : all;
	uint64_t max = (why->of_uid ? w->limits.uid : w->limits.all).n[why->kind];
	uint64_t comes = goes_in_time(w, v, is_sending_soon_over);

	if (v->a.need - why->for_others > max)
		return false;
	if (why->for_others)
		return true;
	if (!why->of_uid)
		comes += all->n[why->kind] - mine->n[why->kind];
	return used->n[ACCOUNT_JOBS] > 0 || used->n[why->kind] + v->a.need <= max + comes;
}

static void see_to(
	struct world *w, struct world_visit *v, enum admission_verdict verdict, bool is_door)
{
	const struct world_visit *first = first_of(w, v->uid);
	struct refusal no, was = v->a.why;
	uint64_t more = 0;
	int r;

	if (verdict == ADMISSION_OVER) {
		if (w->fake.now_us < v->a.until_us && (v != first || has_hope(w, v, false)))
			world_fail(
				w, "who may hope for %s is refused", account_kind_name(was.kind));
		leave(w, v);
		return;
	}
	if (v != first && !is_door)
		world_fail(w, "one is tried who is not the first of his uid");
	if (v->is_job && (!pool_of(w, v) || (v->after_id && !awaited(w, v)))) {
		leave(w, v);
		return;
	}
	r = try(w, v, &no, &more);
	world_say(w, "%u of uid %u are tried again: %d", v->n, v->uid, r);
	w->sum.let_in += r == 0;
	if (r != CORE_E_QUOTA && r != CORE_E_FULL) {
		leave(w, v);
		return;
	}
	if (!is_door && !was.is_behind && !was.for_others && was.kind == no.kind &&
		was.of_uid == no.of_uid && was.of_jobs == no.of_jobs)
		world_fail(w, "one is tried in vain for %s", account_kind_name(no.kind));
	admission_stay(w->core, &v->a, &no, more);
}

bool lobby_turn(struct world *w)
{
	enum admission_verdict verdict;
	bool is_door = w->core->admissions.next_try;
	struct admission *a;
	unsigned n = 0;

	while ((a = admission_next(w->core, w->fake.now_us, &verdict))) {
		see_to(w, visit_of(w, a), verdict, is_door);
		is_door = w->core->admissions.next_try;
		if (++n == VERDICTS_AT_ONCE)
			world_fail(w, "who waits for room is seen to without an end");
	}
	return n > 0;
}

/* Nobody waits for nothing, and nobody who need not. */
void lobby_check_after_turn(struct world *w)
{
	for (unsigned i = 0; i < WORLD_VISITS; i++) {
		const struct world_visit *v = &w->visits[i];
		const struct admission_queue *q;
		struct submission s;
		int r;

		if (!v->is_waiting)
			continue;
		s = submission_of(w, v);
		if (w->core->is_closed || (v->is_job && (!s.pool || s.pool->state == POOL_FAILED)))
			world_fail(w, "who will never be let in still waits");
		if (w->turn_us >= v->a.until_us && w->core->due_most == CORE_DUE_A_TURN)
			world_fail(w, "one waits whose time is over");
		if (!v->a.is_due && (!v->a.timer.pos || v->a.timer.key > v->a.until_us))
			world_fail(w, "nobody will see that his time is over");
		/* what it names is gone: that is for its next try to find out */
		if (v != first_of(w, v->uid) || (v->after_id && !awaited(w, v)))
			continue;
		r = births_expected(w, &s, v->n);
		q = account_admissions(v->a.account);
		if (r == 0 && !(v->a.why.for_others && w->fake.now_us < q->look_us))
			world_fail(w, "%u of uid %u wait, and there is room", v->n, v->uid);
		if (w->fake.now_us < q->look_us) {
			if (q->look_us - w->fake.now_us > 100000 || v->a.timer.key > q->look_us)
				if (!q->is_seen)
					world_fail(w, "nobody looks whether there is hope");
			continue;
		}
		if ((r == CORE_E_QUOTA || r == CORE_E_FULL) && !has_hope(w, v, true))
			world_fail(w, "%u of uid %u wait for nothing", v->n, v->uid);
	}
}
