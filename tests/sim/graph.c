/* Dependencies: who waits for whom, who may run, and who is to blame. */
#include <utlist.h>

#include "daemon/core/edge.h"
#include "tests/sim/world.h"

typedef unsigned long long ull;

/* One that this uid may name: its own, or, uid 0 being an administrator, any. */
struct future *graph_some_future(struct world *w, const struct account *a)
{
	struct future *f = clients_some_future(w);

	return f && (f->account == a || account_uid(a) == 0) ? f : NULL;
}

void graph_choose(struct world *w, struct submission *s)
{
	unsigned n = 1 + (unsigned)world_below(w, WORLD_AFTER);

	if (!world_once_in(w, w->graph_in))
		return;
	for (unsigned i = 0; i < n; i++) {
		struct future *on = graph_some_future(w, s->account);

		if (on)
			w->after[s->wishes.n_after++] = (struct after){.on = on,
				.is_any = world_once_in(w, 3),
				/* what others' jobs keep, no end of one's own jobs gives back */
				.is_input = on->account == s->account && world_once_in(w, 2)};
		if (on && w->after[s->wishes.n_after - 1].is_input) {
			w->after[s->wishes.n_after - 1].is_any = false; /* its value is needed */
			w->has_named = true;
		}
	}
	s->wishes.after = w->after;
}

static void widen(uint64_t room[2], uint64_t bytes, uint64_t fds)
{
	room[0] = room[0] > bytes ? room[0] : bytes;
	room[1] = room[1] > fds ? room[1] : fds;
}

void graph_room(struct world *w, const struct submission *s, uint64_t room[2])
{
	for (uint32_t i = 0; i < s->wishes.n_after; i++) {
		const struct future *on = s->wishes.after[i].on;
		const struct pool *p = future_pool(on);
		const struct record *r = world_record(w, on->id);

		if (!p || future_state_is_final(on->state))
			continue;
		widen(room, r->room[0], r->room[1]);
		if (births_may_fit(w, p))
			widen(room, p->config.max_result_bytes, p->config.max_result_fds);
	}
}

void graph_remember(struct world *w, const struct submission *s, struct record *r)
{
	graph_room(w, s, r->room);
	r->n_after = s->wishes.n_after;
	for (unsigned i = 0; i < r->n_after; i++) {
		r->after[i] = s->wishes.after[i].on->id;
		r->is_after_any[i] = s->wishes.after[i].is_any;
		r->is_input[i] = s->wishes.after[i].is_input;
	}
	r->wishes.after = NULL;
}

bool graph_is_too_large(struct world *w, struct record *r)
{
	for (unsigned i = 0; i < r->n_after; i++)
		if (r->is_input[i] && world_once_in(w, 40))
			r->is_too_large = true;
	return r->is_too_large;
}

/* Does this one keep r waiting, or doom it? As far as anybody can know: what ended and was
 * forgotten in one step may have ended in any way. */
static bool is_in_the_way(struct world *w, const struct record *r, unsigned i, bool *ret_is_final)
{
	const struct record *on = world_record(w, r->after[i]);
	const struct future *f = future_table_find(&w->core->table, on->id);
	enum future_state state = f ? f->state : on->state;
	bool is_known = f || on->is_end_seen;

	*ret_is_final = f ? future_state_is_final(state) : true;
	return !*ret_is_final || (!r->is_after_any[i] && is_known && state != FUTURE_DONE);
}

void graph_check_start(struct world *w, const struct record *r)
{
	bool is_final;

	for (unsigned i = 0; i < r->n_after; i++)
		if (is_in_the_way(w, r, i, &is_final))
			world_fail(w, "%llu is started before %llu is what it waits for",
				(ull)r->id, (ull)r->after[i]);
}

/* An end that explains this one, and is what it names as its root. */
bool graph_explains(struct world *w, const struct record *r, const struct future *f)
{
	for (unsigned i = 0; i < r->n_after; i++) {
		const struct record *on = world_record(w, r->after[i]);
		uint64_t root = on->failure == FAILURE_INPUT ? on->root : on->id;

		if (r->is_after_any[i] || !on->is_final)
			continue;
		if (!on->is_end_seen || (on->state != FUTURE_DONE && root == edges_root(f)))
			return true;
	}
	return false;
}

/* What a job names in its input stays, with its value, as long as the input does, whoever released
 * it. */
static void check_input(struct world *w, const struct future *f, const struct record *r, unsigned i)
{
	bool is_over = f->is_input_lent ? future_state_is_final(f->state) : f->state == FUTURE_DONE;
	bool is_kept = r->is_input[i] && !is_over;
	const struct edge *e = &future_terms(f)->edges[i];
	struct record *on = world_record(w, r->after[i]);

	if (!e->is_left && is_kept != (e->on != NULL))
		world_fail(w, "input %llu of %llu is %s", (ull)on->id, (ull)f->id,
			is_kept ? "lost" : "kept for nothing");
	if (!is_kept)
		return;
	on->n_users++;
	if (e->on != future_table_find(&w->core->table, on->id) ||
		(on->is_final && future_value(e->on) != on->value))
		world_fail(
			w, "the value of %llu, which %llu needs, is gone", (ull)on->id, (ull)f->id);
}

/* Who keeps f: the shell, the core, the jobs that need its value. */
static void check_pins(struct world *w, const struct future *f)
{
	unsigned n = world_record(w, f->id)->n_users + f->is_settling;

	for (unsigned i = 0; i < WORLD_PINS; i++)
		n += w->pins[i] == f;
	if (n != f->n_pins)
		world_fail(w, "%llu is kept by %u, not %u", (ull)f->id, n, f->n_pins);
}

/* The edges of a future are those of its record, and both ends know of them. */
static uint64_t check_edges(struct world *w, const struct future *f)
{
	const struct record *r = world_record(w, f->id);
	uint64_t n = 0;

	if ((future_terms(f) ? future_terms(f)->n_edges : 0) != r->n_after)
		world_fail(w, "%llu has lost an edge", (ull)f->id);
	for (unsigned i = 0; i < r->n_after; i++) {
		const struct edge *e = &future_terms(f)->edges[i];

		if (e->on && (e->on->id != r->after[i] || e->dependent != f))
			world_fail(w, "an edge of %llu leads elsewhere", (ull)f->id);
		n += e->is_left;
		check_input(w, f, r, i);
	}
	if (n != edges_left(f) || (n && future_state_is_final(f->state)))
		world_fail(
			w, "%llu has %llu edges left, not %u", (ull)f->id, (ull)n, edges_left(f));
	if ((f->state == FUTURE_BLOCKED && !n) ||
		(n && f->state != FUTURE_BLOCKED && f->state != FUTURE_DELAYED))
		world_fail(w, "%llu in state %d has %llu edges", (ull)f->id, f->state, (ull)n);
	return n;
}

void graph_check(struct world *w)
{
	uint64_t n_up = 0, n_down = 0;
	struct future *f;
	struct edge *e;

	CORE_FOREACH (f, w->core)
		world_record(w, f->id)->n_users = 0;
	CORE_FOREACH (f, w->core)
		n_up += check_edges(w, f);
	CORE_FOREACH (f, w->core) {
		check_pins(w, f);
		DL_FOREACH(f->dependents, e)
		{
			if (e->on != f)
				world_fail(w, "%llu has a dependent of another", (ull)f->id);
			n_down++;
		}
		if (f->is_settling != (f->dependents && future_state_is_final(f->state)) &&
			!f->is_settling)
			world_fail(w, "dependents of %llu will not hear of its end", (ull)f->id);
	}
	if (n_up != n_down)
		world_fail(w, "%llu edges lead up, %llu down", (ull)n_up, (ull)n_down);
}

void graph_check_after_turn(struct world *w, uint64_t now_us, uint64_t next_us)
{
	struct future *f;

	if (!TAILQ_EMPTY(&w->core->settling)) {
		if (next_us > now_us)
			world_fail(w, "ends are not told on");
		return;
	}
	CORE_FOREACH (f, w->core) {
		const struct record *r = world_record(w, f->id);
		bool is_waiting = f->state == FUTURE_BLOCKED || f->state == FUTURE_DELAYED;
		bool is_final;
		unsigned n = 0;

		for (unsigned i = 0; is_waiting && i < r->n_after; i++) {
			if (is_in_the_way(w, r, i, &is_final) && is_final)
				world_fail(w, "%llu waits on though %llu ended badly", (ull)f->id,
					(ull)r->after[i]);
			n += !is_final;
		}
		if (f->state == FUTURE_BLOCKED && n == 0)
			world_fail(w, "%llu is blocked by nothing", (ull)f->id);
	}
}
