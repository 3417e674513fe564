/* What is counted twice: jobs, slots, and what each uid holds, by the witness and by the core. */
#include <string.h>

#include "tests/sim/world.h"

typedef unsigned long long ull;

struct count {
	uint64_t queued;
	uint64_t aside;
	uint64_t in_lines;
};

static struct count count_jobs(struct world *w, const struct pool *p)
{
	struct count n = {0};
	struct future *f;

	CORE_FOREACH (f, w->core) {
		if (future_pool(f) != p || future_state_is_final(f->state))
			continue;
		n.queued += !f->run->slot && f->state == FUTURE_QUEUED;
		n.aside += f->state == FUTURE_DELAYED || f->state == FUTURE_BLOCKED;
		n.in_lines += f->run->slot != NULL;
	}
	return n;
}

static void check_slots(struct world *w, const struct pool *p, uint64_t n_in_lines)
{
	unsigned n_by_state[_SLOT_STATE_MAX] = {0}, n_ahead = 0, n_lines = 0;

	for (unsigned i = 0; i < p->n_slots; i++) {
		const struct slot *s = p->slots[i];
		uint64_t ahead_ns = 0;
		struct future *f;
		unsigned n = 0;

		TAILQ_FOREACH (f, &s->line, in_line) {
			if (f->run->slot != s)
				world_fail(w, "%llu stands in a line not its own", (ull)f->id);
			ahead_ns += n > 0 ? f->run->wait_ns : 0;
			n++;
		}
		if (ahead_ns != s->ahead_ns)
			world_fail(w, "%llu ns wait in a line, not %llu", (ull)ahead_ns,
				(ull)s->ahead_ns);
		if (n != s->n_line)
			world_fail(w, "%u jobs are in a line of %u", n, s->n_line);
		if (n > 0 && (s->state == SLOT_EMPTY || s->state == SLOT_STARTING ||
				     s->state == SLOT_IDLE))
			world_fail(w, "a slot in state %d has a line", s->state);
		if (n == 0 && !((const struct fake_worker *)s->shell)->is_known_dead &&
			(s->state == SLOT_BUSY || s->state == SLOT_RINGING))
			world_fail(w, "a slot in state %d has no line", s->state);
		n_by_state[s->state]++;
		n_ahead += n > 1 ? n - 1 : 0;
		n_lines += n;
	}
	for (int s = 0; s < _SLOT_STATE_MAX; s++)
		if (n_by_state[s] != p->n_by_state[s])
			world_fail(w, "%u slots are in state %d, not %u", n_by_state[s], s,
				p->n_by_state[s]);
	if (n_ahead != p->n_ahead || n_lines != n_in_lines)
		world_fail(
			w, "%u jobs are ahead, not %u; %u in lines", n_ahead, p->n_ahead, n_lines);
}

static void check_pool(struct world *w, unsigned i)
{
	const struct pool *p = w->pools[i];
	struct count n = count_jobs(w, p);
	uint64_t n_final = 0;

	for (int s = 0; s < _FUTURE_STATE_MAX; s++)
		n_final += p->n_finished[s];

	if (n.queued != p->queue.n)
		world_fail(
			w, "%llu jobs wait, the queue says %llu", (ull)n.queued, (ull)p->queue.n);
	if (n.aside != p->n_aside)
		world_fail(w, "%llu jobs stand aside, the pool says %llu", (ull)n.aside,
			(ull)p->n_aside);
	if (w->n_submitted[i] != p->n_submitted ||
		p->n_submitted != n.queued + n.aside + n.in_lines + n_final)
		world_fail(w,
			"pool %s: %llu submitted, %llu wait, %llu aside, %llu in lines, %llu final",
			p->name, (ull)p->n_submitted, (ull)n.queued, (ull)n.aside, (ull)n.in_lines,
			(ull)n_final);
	check_slots(w, p, n.in_lines);
}

uint64_t ledger_kept(const struct future *f, const struct record *r)
{
	uint64_t bytes = r->extra_bytes;
	const struct attempt *a;

	if (future_terms(f) && !terms_bytes(&r->wishes))
		bytes += sizeof(struct terms);
	if (f->annex && !r->has_annex)
		bytes += sizeof(struct annex);
	if (future_terms(f))
		STAILQ_FOREACH (a, &future_terms(f)->attempts, next)
			bytes += sizeof(*a) + a->details->bytes;
	return bytes;
}

static void add_up(const struct future *f, const struct record *r, struct amounts *sum)
{
	bool is_final = future_state_is_final(f->state);

	sum->n[ACCOUNT_FUTURES]++;
	sum->n[ACCOUNT_JOBS] += !is_final;
	sum->n[ACCOUNT_BYTES] += ledger_kept(f, r);
	if (f->state != FUTURE_DONE && !(f->is_input_lent && is_final)) {
		sum->n[ACCOUNT_BYTES] += r->input_bytes;
		sum->n[ACCOUNT_FDS] += r->input_fds;
	}
	if (f->run->slot && f->run->place) {
		sum->n[ACCOUNT_BYTES] += future_pool(f)->config.packed_result_bytes;
	} else if (f->run->slot) {
		sum->n[ACCOUNT_BYTES] += future_pool(f)->config.max_result_bytes;
		sum->n[ACCOUNT_FDS] += future_pool(f)->config.max_result_fds;
	}
	if (future_value(f)) {
		sum->n[ACCOUNT_BYTES] += future_value(f)->bytes;
		sum->n[ACCOUNT_FDS] += future_value(f)->fds;
	}
}

struct amounts ledger_held(struct world *w, const struct future *f, const struct record *r)
{
	uint64_t bytes = r->input_bytes + ledger_kept(f, r), fds = r->input_fds;
	const struct edge *e = NULL;

	if (future_state_is_final(f->state))
		return (struct amounts){0};
	while ((e = edges_next_input(f, e))) {
		struct record *on = world_record(w, e->on->id);

		if (!future_state_is_final(e->on->state) || e->on->account != f->account ||
			on->named_in == w->n_ledgers)
			continue;
		on->named_in = w->n_ledgers;
		bytes += future_lent_bytes(e->on);
		fds += future_value(e->on) ? future_value(e->on)->fds : 0;
		if (future_lent_bytes(e->on) > e->on->kept_bytes ||
			future_lent_bytes(e->on) <
				(future_value(e->on) ? future_value(e->on)->bytes : 0))
			world_fail(w, "%llu bytes are counted of future %llu",
				(ull)future_lent_bytes(e->on), (ull)e->on->id);
	}
	return (struct amounts){.n = {[ACCOUNT_BYTES] = bytes, [ACCOUNT_FDS] = fds}};
}

static void check_accounts(struct world *w)
{
	struct amounts sum[WORLD_UIDS] = {0}, all = {0};
	uint64_t n_payloads = 0, n_extras = 0, n_unfinished = 0, by_jobs = 0;
	struct future *f;

	w->n_ledgers++;
	CORE_FOREACH (f, w->core) {
		const struct record *r = world_record(w, f->id);

		add_up(f, r, &sum[future_uid(f)]);
		by_jobs += ledger_held(w, f, r).n[ACCOUNT_BYTES];
		n_payloads += (f->input != NULL) + (future_value(f) != NULL);
		n_payloads += future_terms(f) ? future_terms(f)->n_kept : 0;
		n_extras += future_extra(f) != NULL;
		n_unfinished += !future_state_is_final(f->state);
	}
	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++) {
		struct amounts parked = lobby_held(w, uid);

		for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
			uint64_t held = account_used(w->accounts[uid])->n[k];

			sum[uid].n[k] += parked.n[k];

			if (held != sum[uid].n[k])
				world_fail(w, "uid %u holds %llu %s, its account says %llu", uid,
					(ull)sum[uid].n[k], account_kind_name(k), (ull)held);
			if (held > w->limits.uid.n[k] && held > w->last_of[uid].n[k] &&
				!w->is_lenient_to[uid] && !w->is_lenient)
				world_fail(w, "uid %u is beyond its limit of %s", uid,
					account_kind_name(k));
			all.n[k] += held;
		}
	}
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		if (all.n[k] != w->core->accounts.used.n[k] ||
			(all.n[k] > w->limits.all.n[k] && all.n[k] > w->last.n[k] &&
				!w->is_lenient))
			world_fail(w, "%s in all: %llu, not %llu", account_kind_name(k),
				(ull)w->core->accounts.used.n[k], (ull)all.n[k]);
	memcpy(w->last_of, sum, sizeof(sum));
	w->last = all;
	reload_note_jobs(w);
	if (n_payloads != w->fake.n_payloads || n_extras != w->fake.n_extras)
		world_fail(w, "%llu payloads live, %llu are known", (ull)w->fake.n_payloads,
			(ull)n_payloads);
	if (by_jobs != w->core->accounts.by_jobs.n[ACCOUNT_BYTES])
		world_fail(w, "jobs hold %llu bytes, not %llu", (ull)by_jobs,
			(ull)w->core->accounts.by_jobs.n[ACCOUNT_BYTES]);
	if (n_unfinished != core_unfinished(w->core))
		world_fail(w, "%llu jobs are not final, the core says %llu", (ull)n_unfinished,
			(ull)core_unfinished(w->core));
}

void ledger_check(struct world *w)
{
	for (unsigned i = 0; i < w->n_pools; i++)
		check_pool(w, i);
	check_accounts(w);
}
