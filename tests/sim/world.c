#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- chance -------------------------------------------------------------------------------------
 */

static uint64_t next_noise(struct world *w)
{
	uint64_t z = w->noise += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t world_below(struct world *w, uint64_t n)
{
	return next_noise(w) % n;
}

bool world_once_in(struct world *w, unsigned n)
{
	return n && world_below(w, n) == 0;
}

/* ---- the witness --------------------------------------------------------------------------------
 */

void world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	printf("seed %llu, step %u: ", (unsigned long long)w->seed, w->step);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nsee it: sim --seeds %llu-%llu --verbose\n", (unsigned long long)w->seed,
		(unsigned long long)w->seed);
	fflush(stdout);
	exit(1);
}

void world_say(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->is_verbose)
		return;
	printf("%5u %10llu  ", w->step, (unsigned long long)w->fake.now_us);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

struct record *world_record(struct world *w, uint64_t id)
{
	if (id < w->first_id || id - w->first_id >= w->n_records)
		world_fail(w, "future %llu was never made", (unsigned long long)id);
	return &w->records[id - w->first_id];
}

void world_add_record(struct world *w, const struct record *r)
{
	/* An ID that was used up without a future (no memory) leaves a record that is gone. */
	while (w->first_id + w->n_records <= r->id) {
		if (w->n_records == w->records_size) {
			w->records_size = w->records_size ? 2 * w->records_size : 256;
			w->records = realloc(w->records, w->records_size * sizeof(*r));
			if (!w->records)
				abort();
		}
		w->records[w->n_records++] = (struct record){.is_gone = true};
	}
	if (w->first_id + w->n_records != r->id + 1)
		world_fail(w, "the ID %llu was given out twice", (unsigned long long)r->id);
	w->records[w->n_records - 1] = *r;
}

unsigned world_pool_index(const struct world *w, const struct pool *p)
{
	unsigned i = 0;

	while (i < w->n_pools && w->pools[i] != p)
		i++;
	if (i == w->n_pools)
		world_fail((struct world *)w, "a pool is used that is gone");
	return i;
}

struct pool *world_some_pool(struct world *w)
{
	struct pool *p = w->pools[world_below(w, w->n_pools)];

	return p->state == POOL_REMOVED ? w->pools[0] : p;
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

static unsigned rate(struct world *w)
{
	static const unsigned rates[] = {0, 3, 10, 40};

	return rates[world_below(w, sizeof(rates) / sizeof(rates[0]))];
}

struct account_limits world_some_limits(struct world *w)
{
	struct account_limits limits = {0}, *l = &limits;

	l->uid.n[ACCOUNT_BYTES] = 1000 + world_below(w, 20000);
	l->uid.n[ACCOUNT_JOBS] = 4 + world_below(w, 24);
	l->uid.n[ACCOUNT_FUTURES] = l->uid.n[ACCOUNT_JOBS] + world_below(w, 30);
	l->uid.n[ACCOUNT_FDS] = 4 + world_below(w, 40);
	l->uid.n[ACCOUNT_PARKED_BYTES] = 300;
	l->uid.n[ACCOUNT_PARKED_FDS] = 4;
	if (world_once_in(w, 2)) /* room for all */
		for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
			l->uid.n[k] *= 10;
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		l->all.n[k] = l->uid.n[k] * (2 + world_below(w, 5)) / 2;
	return limits;
}

struct pool *world_add_pool(struct world *w, const char *name)
{
	struct pool_config config = {
		.name = name,
		.n_workers = 1 + (unsigned)world_below(w, 4),
		.ahead_max = world_once_in(w, w->is_quick ? 2 : 4) ? 64
								   : (unsigned)world_below(w, 4),
		.max_result_bytes = world_below(w, 600),
		.max_result_fds = (uint16_t)(1 + world_below(w, 2)),
		.grace_us = 1 + world_below(w, w->long_us),
		.poison = 1 + (unsigned)world_below(w, 4),
		.timeout_us = world_once_in(w, 3) ? 1 + world_below(w, w->long_us) : 0,
		.ageing_us = world_once_in(w, 3) ? 0 : 1 + world_below(w, w->long_us),
	};
	uint64_t most = w->limits.uid.n[ACCOUNT_BYTES];
	unsigned i = w->n_pools;
	struct pool *p;

	sizes_configure(w, &config);
	if (world_once_in(w, 6)) /* few fit at once */
		config.max_result_bytes = most / 4 + world_below(w, most / 2);
	if (world_once_in(w, 20)) /* its jobs can never start */
		config.max_result_bytes = most + 1;
	config.packed_result_bytes = config.max_result_bytes;
	if (world_once_in(w, 3))
		config.packed_result_bytes = world_below(w, config.max_result_bytes + 1);
	p = fake_pool(&w->fake, &config);
	if ((w->is_quick || world_once_in(w, 2)) && pool_put_function(p, "g", "", true) != 0)
		abort();
	w->pools[w->n_pools++] = p;
	w->n_submitted[i] = 0;
	w->shares[i] = (struct shares){0};
	w->sizes[i] = (struct sizes){0};
	sizes_begin(w, i);
	for (unsigned k = 0; k < config.n_workers; k++)
		fake_worker(p, k)->inbox_size = 1 + (unsigned)world_below(w, 8);
	return p;
}

static void add_pools(struct world *w)
{
	static const char *const names[] = {"default", "digest", "bench"};

	w->n_stay = 1 + (unsigned)world_below(w, WORLD_POOLS - 1);
	for (unsigned i = 0; i < w->n_stay; i++)
		world_add_pool(w, names[i]);
}

void world_init(struct world *w, uint64_t seed, bool is_verbose)
{
	*w = (struct world){.seed = seed, .noise = seed, .is_verbose = is_verbose, .first_id = 1};
	w->core = &w->fake.core;
	w->full_in = rate(w);
	w->fork_refused_in = rate(w);
	w->death_in = rate(w);
	w->race_in = rate(w);
	w->hostile_in = rate(w);
	w->kind = (unsigned)world_below(w, _KIND_MAX);
	w->no_memory_in = rate(w) * 2;
	w->slow_start_in = 1 + rate(w);
	w->reenter_in = rate(w);
	w->graph_in = rate(w);
	w->is_quick = world_once_in(w, 2);
	w->slow_uid = (uint32_t)world_below(w, WORLD_UIDS);
	w->slow_in = rate(w);
	w->may_fail_pool = world_once_in(w, 4);
	w->operate_in = world_once_in(w, 2) ? 2 : 0;
	w->reload_in = world_once_in(w, 2) ? 2 : 0;
	w->patient_in = w->seed % 3 == 0 ? 6 : 0;
	w->long_us = (uint64_t[]){300, 3000, 30000}[world_below(w, 3)];
	w->limits = world_some_limits(w);
	fake_init(&w->fake, &w->limits, w->first_id);
	if (w->seed % 4 == 0)
		w->core->due_most = 1 + (unsigned)(w->seed / 4 % 3);
	w->fake.user = w;
	w->fake.loss_bytes = world_below(w, 2) * 20;
	w->fake.attempt_bytes = world_below(w, 2) * 15;
	witness_hooks(&w->fake.hooks);
	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
		if (account_get(&w->core->accounts, uid, &w->accounts[uid]) != 0)
			abort();
	add_pools(w);
}

/* ---- the end ------------------------------------------------------------------------------------
 */

static bool is_over(const struct world *w, bool is_drained)
{
	if (core_unfinished(w->core) || lobby_n_waiting(w))
		return false;
	for (unsigned i = 0; is_drained && i < w->n_pools; i++)
		if (w->pools[i]->n_by_state[SLOT_EMPTY] != w->pools[i]->n_slots)
			return false;
	return true;
}

/* Without new mischief every job ends, and every worker leaves after a drain or when nothing is
 * taken any more. */
static void run_out(struct world *w)
{
	bool is_closed = world_once_in(w, 2), is_drained = is_closed || w->core->is_draining;

	w->is_ending = true;
	w->reenter_in = 0;
	clients_unpin(w);
	sizes_resume(w);
	if (is_closed)
		sizes_close(w);
	check_always(w);
	for (unsigned i = 0; !is_over(w, is_drained); i++) {
		if (i == 3000)
			world_fail(w, "%llu jobs never end, %u requests wait%s",
				(unsigned long long)core_unfinished(w->core), lobby_n_waiting(w),
				is_drained ? ", or a worker never leaves" : "");
		w->step++;
		w->fake.now_us += 1 + world_below(w, 100000);
		workers_settle(w);
		clients_turn(w);
		check_always(w);
		clients_release_final(w);
		check_always(w);
	}
}

void world_count_pool(struct world *w, const struct pool *p)
{
	const uint64_t *n = p->n_finished;

	w->sum.done += n[FUTURE_DONE];
	w->sum.failed += n[FUTURE_FAILED];
	w->sum.cancelled += n[FUTURE_CANCELLED];
	w->sum.timeouts += n[FUTURE_TIMEOUT];
	w->sum.lost += n[FUTURE_LOST];
	w->sum.aborted += n[FUTURE_ABORTED];
	w->sum.submits += p->n_submitted;
}

static void count(struct world *w)
{
	for (unsigned i = 0; i < w->n_pools; i++)
		world_count_pool(w, w->pools[i]);
	w->sum.packs = w->fake.n_packs;
	w->sum.hand_overs = w->fake.n_hand_overs;
	w->sum.taken_back = w->fake.n_taken_back;
	w->sum.rings = w->fake.n_rings;
	w->sum.kills = w->fake.n_kills;
	w->sum.violations = w->fake.n_violations;
	w->sum.retries = w->n_retries;
	w->sum.poisoned = w->n_poisoned;
}

static void check_zero(struct world *w)
{
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		if (w->core->accounts.used.n[k])
			world_fail(w, "%llu %s are still held when nobody holds anything",
				(unsigned long long)w->core->accounts.used.n[k],
				account_kind_name(k));
	if (w->fake.n_payloads || w->fake.n_extras)
		world_fail(w, "%llu payloads and %llu extras leaked",
			(unsigned long long)w->fake.n_payloads,
			(unsigned long long)w->fake.n_extras);
}

/* As the daemon does it, in more or less haste. */
static void drain(struct world *w)
{
	const struct future *f;

	core_drain(w->core, w->fake.now_us);
	for (unsigned i = 0; i < w->n_pools; i++)
		check_nobody_waits(w, w->pools[i]);
	check_always(w);
	if (world_once_in(w, 2)) {
		core_stop_running(w->core, CANCEL_TERM, w->fake.now_us);
		CORE_FOREACH (f, w->core)
			if (f->run->slot && f->run->slot->state != SLOT_LEAVING &&
				f->state != FUTURE_CANCELLING)
				world_fail(w, "%llu survives a stop", (unsigned long long)f->id);
	}
	check_always(w);
	if (!world_once_in(w, 3))
		return;
	core_stop_running(w->core, CANCEL_KILL, w->fake.now_us);
	CORE_FOREACH (f, w->core)
		if (f->run->slot && f->run->slot->state != SLOT_LEAVING)
			world_fail(w, "the worker of %llu survives a stop in haste",
				(unsigned long long)f->id);
	check_always(w);
}

void world_end(struct world *w)
{
	bool is_thrown_away = world_once_in(w, 4);
	bool is_drained = world_once_in(w, 2);

	world_say(w, "the end: %s",
		is_thrown_away ? "thrown away" : (is_drained ? "drain" : "run out"));
	if (!is_thrown_away && is_drained)
		drain(w);
	if (!is_thrown_away)
		run_out(w);
	clients_leave(w);
	check_always(w);
	if (!is_thrown_away) {
		clients_turn(w); /* the last end is told on */
		clients_release_final(w);
		check_always(w);
		core_sweep(w->core);
		check_zero(w);
		names_check_none(w);
	}
	count(w);
	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
		account_unref(w->accounts[uid]);
	fake_deinit(&w->fake);
	check_zero(w);
	free(w->records);
}
