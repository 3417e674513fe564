/* Births: clients submit jobs, one by one or all or none, and put objects; and the witness tells
 * what the core has to answer, from what is held. */
#include <errno.h>

#include "tests/lib/fault.h"
#include "tests/sim/world.h"

uint64_t births_some_ttl(struct world *w)
{
	switch (world_below(w, 8)) {
	case 0: return UINT64_MAX;
	case 1:
	case 2: return 3600 * 1000000ull;
	default: return 1 + world_below(w, 20 * w->long_us);
	}
}

static struct submission some_submission(struct world *w, uint32_t uid)
{
	struct submission s = {.account = w->accounts[uid], .ttl_us = births_some_ttl(w)};

	s.input_bytes = world_below(w, 150);
	s.input_fds = w->is_quick ? world_once_in(w, 16) : (uint16_t)world_below(w, 2);
	s.input = fake_payload(&w->fake, s.input_bytes, s.input_fds);
	if (world_once_in(w, 3)) {
		s.extra_bytes = 1 + (uint32_t)world_below(w, 30);
		s.extra = fake_extra(&w->fake, s.extra_bytes);
	}
	return s;
}

static uint64_t maybe(struct world *w, uint64_t most_us)
{
	return world_once_in(w, 2) ? 1 + world_below(w, most_us) : 0;
}

static struct wishes some_wishes(struct world *w)
{
	return (struct wishes){
		.delay_us = maybe(w, w->long_us),
		.start_within_us = maybe(w, 2 * w->long_us),
		.deadline_us = maybe(w, 8 * w->long_us),
		.backoff_us = maybe(w, w->long_us),
		.retries = (uint16_t)world_below(w, world_once_in(w, 4) ? 16 : 5),
		.retry_on = (uint8_t)world_below(w, 8),
	};
}

static void add_job(struct world *w, struct submission *s)
{
	s->in.inline_bytes = s->input_bytes * (1 + world_below(w, 100));
	s->pool = world_some_pool(w);
	s->function = s->pool->functions;
	if (world_once_in(w, 2) || (w->is_quick && !world_once_in(w, 8)))
		s->function = s->function->next;
	if (world_once_in(w, 3))
		s->priority = (int32_t)world_below(w, 5) - 2;
	if (world_once_in(w, 2))
		s->timeout_us = world_once_in(w, 8) ? UINT64_MAX : 1 + world_below(w, w->long_us);
	if (world_once_in(w, 3))
		s->wishes = some_wishes(w);
	if (world_once_in(w, 2))
		s->grace_us = world_once_in(w, 8) ? UINT64_MAX : 1 + world_below(w, w->long_us);
}

/* Could a result ever fit? Else jobs of p fail when their turn comes. */
bool births_may_fit(const struct world *w, const struct pool *p)
{
	uint64_t bytes = p->config.max_result_bytes, fds = p->config.max_result_fds;

	return bytes <= w->limits.uid.n[ACCOUNT_BYTES] && bytes <= w->limits.all.n[ACCOUNT_BYTES] &&
	       fds <= w->limits.uid.n[ACCOUNT_FDS] && fds <= w->limits.all.n[ACCOUNT_FDS];
}

/* Beside what all jobs brought along, and what is wanted, there must be room for a result: of this
 * job, or of any that it waits for. */
static int expected_beside_jobs(struct world *w, const struct submission *s, const uint64_t *want)
{
	const struct pool_config *config = &s->pool->config;
	uint64_t result[2] = {0};
	uint64_t mine[] = {want[ACCOUNT_BYTES], want[ACCOUNT_FDS]};
	uint64_t all[] = {want[ACCOUNT_BYTES], want[ACCOUNT_FDS]};
	static const enum account_kind kinds[] = {ACCOUNT_BYTES, ACCOUNT_FDS};
	struct future *f;

	w->n_ledgers++;
	CORE_FOREACH (f, w->core) {
		const struct record *r = world_record(w, f->id);
		struct amounts held = ledger_held(w, f, r);
		bool is_mine = r->uid == account_uid(s->account);

		for (int i = 0; i < 2; i++) {
			all[i] += held.n[kinds[i]];
			mine[i] += is_mine ? held.n[kinds[i]] : 0;
		}
	}
	if (births_may_fit(w, s->pool)) {
		result[0] = config->max_result_bytes;
		result[1] = config->max_result_fds;
	}
	graph_room(w, s, result);
	for (int i = 0; i < 2; i++) {
		if (result[i] && mine[i] + result[i] > w->limits.uid.n[kinds[i]])
			return CORE_E_QUOTA;
		if (result[i] && all[i] + result[i] > w->limits.all.n[kinds[i]])
			return CORE_E_FULL;
	}
	return 0;
}

uint64_t births_kept_bytes(const struct submission *s)
{
	uint64_t terms = s->wishes.n_after ? sizeof(struct terms) : terms_bytes(&s->wishes);
	uint64_t bytes = s->extra_bytes + terms + s->wishes.n_after * sizeof(struct edge) +
			 tags_bytes(&s->tags);

	return bytes ? bytes + sizeof(struct annex) : 0;
}

int births_expected(struct world *w, const struct submission *s, unsigned n)
{
	const struct amounts *uid = account_used(s->account), *all = &w->core->accounts.used;
	uint64_t bytes = s->input_bytes + births_kept_bytes(s);
	uint64_t want[_ACCOUNT_KIND_MAX] = {[ACCOUNT_BYTES] = n * bytes,
		[ACCOUNT_JOBS] = s->pool ? n : 0,
		[ACCOUNT_FUTURES] = n,
		[ACCOUNT_FDS] = n * s->input_fds};
	int r;

	if (s->pool && (s->pool->state == POOL_FAILED || trials_is_broken(w, s->pool)))
		return CORE_E_POOL_FAILED;
	if (w->core->is_closed || (s->pool && w->sizes[world_pool_index(w, s->pool)].is_draining))
		return CORE_E_DRAINING;
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
		if (want[k] && uid->n[k] + want[k] > w->limits.uid.n[k])
			return CORE_E_QUOTA;
		if (want[k] && all->n[k] + want[k] > w->limits.all.n[k])
			return CORE_E_FULL;
	}
	r = s->pool ? expected_beside_jobs(w, s, want) : 0;
	return r ? r : lobby_expected(w, s, want);
}

static void remember(struct world *w, const struct submission *s, struct future *f)
{
	world_add_record(w, &(struct record){.id = f->id,
				    .uid = account_uid(s->account),
				    .is_job = s->pool != NULL,
				    .input_bytes = s->input_bytes,
				    .extra_bytes = births_kept_bytes(s),
				    .has_annex = births_kept_bytes(s) > 0,
				    .wishes = s->wishes,
				    .is_maybe_pure = f->function && f->function->name[0] == 'g',
				    .input_fds = s->input_fds,
				    .timeout_us = f->timeout_us,
				    .ttl_us = s->ttl_us,
				    .priority = s->priority,
				    .submitted_us = w->fake.now_us});
	graph_remember(w, s, world_record(w, f->id));
	names_remember(s, world_record(w, f->id));
	if (!s->pool)
		return;
	f->is_input_lent = f->id % 5 == 0; /* as the shell says it of a job just made */
	w->n_submitted[world_pool_index(w, s->pool)]++;
	order_born(w, f);
}

int births_make(
	struct world *w, const struct submission *s, struct future **ret, struct refusal *ret_no)
{
	struct refusal no = {0};
	struct future *f = NULL;
	bool is_short = false;
	uint64_t known = 0;
	int want, r;

	reload_note_jobs(w); /* who has none left may have some with the next */
	want = names_expected(w, s, &known);
	if (!want)
		want = births_expected(w, s, 1);
	if (world_once_in(w, w->no_memory_in))
		fault_alloc_at(1 + (unsigned)world_below(w, 6));
	if (s->pool)
		r = core_submit(w->core, s, w->fake.now_us, &f, &no);
	else
		r = core_put(w->core, s, w->fake.now_us, &f, &no);
	is_short = fault_end();
	if (r != want && !(r == -ENOMEM && is_short))
		world_fail(w, "a submit gave %d, not %d", r, want);
	if ((r == CORE_E_QUOTA || r == CORE_E_FULL) &&
		((no.value <= no.max && !no.is_behind) || no.of_uid != (r == CORE_E_QUOTA)))
		world_fail(w, "a refusal that refuses nothing");
	if (known && f->id != known)
		world_fail(w, "a key leads to %llu, not to %llu", (unsigned long long)f->id,
			(unsigned long long)known);
	*ret_no = no;
	if (r) {
		fake_drop_payload(s->input);
		fake_drop_extra(s->extra);
		w->sum.refused++;
		return r;
	}
	world_say(w, "%s %llu of uid %u, pool %s, priority %d, timeout %llu",
		s->pool ? "job" : "object", (unsigned long long)f->id, account_uid(s->account),
		s->pool ? s->pool->name : "-", s->priority, (unsigned long long)f->timeout_us);
	remember(w, s, f);
	*ret = f;
	return 0;
}

static struct future *give_birth(struct world *w, bool is_job, uint32_t uid, bool may_have_key)
{
	struct submission s = some_submission(w, uid);
	struct future *f = NULL;
	struct refusal no;

	if (is_job) {
		add_job(w, &s);
		graph_choose(w, &s);
	}
	names_choose(w, &s, may_have_key);
	return births_make(w, &s, &f, &no) == 0 ? f : NULL;
}

void births_withdraw(struct world *w, struct future *f)
{
	world_say(w, "%llu is withdrawn", (unsigned long long)f->id);
	world_record(w, f->id)->is_withdrawn = true;
	w->n_submitted[world_pool_index(w, future_pool(f))]--;
	core_withdraw(w->core, f);
}

bool births_has_jobs(struct world *w, uint32_t uid)
{
	return !w->patient_in || uid > 0 || world_once_in(w, 8);
}

void births_submit(struct world *w)
{
	uint32_t uid = (uint32_t)world_below(w, WORLD_UIDS);

	(void)give_birth(w, births_has_jobs(w, uid), uid, true);
}

void births_put(struct world *w)
{
	(void)give_birth(w, false, (uint32_t)world_below(w, WORLD_UIDS), true);
}

void births_submit_many(struct world *w)
{
	uint32_t uid = (uint32_t)world_below(w, WORLD_UIDS);
	unsigned n = 2 + (unsigned)world_below(w, world_once_in(w, 2) ? 5 : 13);
	struct future *made[16];

	if (!births_has_jobs(w, uid))
		return;
	for (unsigned i = 0; i < n; i++) {
		made[i] = give_birth(w, true, uid, false);
		if (made[i])
			continue;
		while (i-- > 0)
			births_withdraw(w, made[i]);
		return;
	}
}
