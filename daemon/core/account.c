/* Accounts: one per uid, and their sum.
 *
 * A limit is checked against what the use would become, before anything is allocated; taking is all
 * or nothing over all kinds, so that no path has to undo half of it. Whoever took gives back:
 * futures hold their account by reference and remember what they took, connections likewise. An
 * account with no reference holds nothing, which is how "no clients, no jobs: all accounts are
 * zero" can be looked at from outside.
 *
 * What jobs hold while they wait (inputs, texts) must leave room for a result, since nobody but
 * themselves could ever make that room. What an owner keeps (objects, results) need not: it can be
 * released.
 */
#include "daemon/core/account.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/admission.h"
#include "daemon/core/uidhash.h"

struct account {
	uint32_t uid;
	unsigned n_refs;
	uint64_t n_gives;
	struct accounts *all;
	struct amounts used;
	struct amounts by_jobs;
	uint64_t n_results;
	uint64_t n_delayed;
	uint64_t n_awaiting;
	bool is_lenient;
	struct futures futures;
	struct admission_queue admissions;
	UT_hash_handle hh;
};

void accounts_init(struct accounts *all, const struct account_limits *limits)
{
	*all = (struct accounts){.limits = *limits};
}

void accounts_deinit(struct accounts *all)
{
	assert(!all->by_uid);
	(void)all;
}

void accounts_be_lenient(struct accounts *all)
{
	all->is_lenient = true;
	for (struct account *a = all->by_uid; a; a = a->hh.next)
		a->is_lenient = true;
}

void accounts_set_limits(struct accounts *all, const struct account_limits *limits)
{
	all->limits = *limits;
	accounts_be_lenient(all);
	/* There may be room for those who were told to wait until something is given back. */
	all->n_gives++;
	for (struct account *a = all->by_uid; a; a = a->hh.next)
		a->n_gives++;
}

struct account *accounts_find(struct accounts *all, uint32_t uid)
{
	struct account *a;

	HASH_FIND(hh, all->by_uid, &uid, sizeof(uid), a);
	return a;
}

int account_get(struct accounts *all, uint32_t uid, struct account **ret)
{
	struct account *a = accounts_find(all, uid);

	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->uid = uid;
		a->all = all;
		TAILQ_INIT(&a->futures);
		admission_queue_init(&a->admissions);
		HASH_ADD(hh, all->by_uid, uid, sizeof(a->uid), a);
		if (!a->hh.tbl) {
			free(a);
			return -ENOMEM;
		}
	}
	*ret = account_ref(a);
	return 0;
}

struct account *account_ref(struct account *a)
{
	a->n_refs++;
	return a;
}

struct account *account_unref(struct account *a)
{
	if (!a || --a->n_refs > 0)
		return NULL;
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		assert(a->used.n[k] == 0);
	HASH_DEL(a->all->by_uid, a);
	free(a);
	return NULL;
}

uint32_t account_uid(const struct account *a)
{
	return a->uid;
}

const struct amounts *account_used(const struct account *a)
{
	return &a->used;
}

const struct amounts *account_by_jobs(const struct account *a)
{
	return &a->by_jobs;
}

uint64_t account_n_gives(const struct account *a)
{
	return a->n_gives;
}

void account_stir(struct account *a)
{
	a->n_gives++;
	a->all->n_gives++;
}

struct futures *account_futures(struct account *a)
{
	return &a->futures;
}

struct admission_queue *account_admissions(struct account *a)
{
	return &a->admissions;
}

/* Would `used + want` exceed max? Written so that nothing can wrap around. */
static bool exceeds(uint64_t used, uint64_t want, uint64_t max)
{
	return want > 0 && (used > max || want > max - used);
}

static int check(const struct accounts *all, enum account_kind k, uint64_t of_uid, uint64_t of_all,
	uint64_t want, struct refusal *ret_refusal)
{
	uint64_t max_uid = all->limits.uid.n[k], max_all = all->limits.all.n[k];
	bool is_of_uid = exceeds(of_uid, want, max_uid);
	uint64_t value;

	if (!is_of_uid && !exceeds(of_all, want, max_all))
		return 0;
	if (__builtin_add_overflow(is_of_uid ? of_uid : of_all, want, &value))
		value = UINT64_MAX;
	if (ret_refusal)
		*ret_refusal = (struct refusal){
			.kind = k,
			.of_uid = is_of_uid,
			.value = value,
			.max = is_of_uid ? max_uid : max_all,
		};
	return is_of_uid ? ACCOUNT_E_QUOTA : ACCOUNT_E_FULL;
}

static int check_kind(
	const struct account *a, enum account_kind k, uint64_t want, struct refusal *ret_refusal)
{
	return check(a->all, k, a->used.n[k], a->all->used.n[k], want, ret_refusal);
}

/* Could all of `want` be taken now? */
static int check_all(
	const struct account *a, const struct amounts *want, struct refusal *ret_refusal)
{
	int r = 0;

	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX && r == 0; k++)
		r = check_kind(a, k, want->n[k], ret_refusal);
	return r;
}

static void add(struct amounts *restrict to, const struct amounts *restrict more)
{
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		to->n[k] += more->n[k];
}

static void subtract(struct amounts *restrict from, const struct amounts *restrict less)
{
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		from->n[k] -= less->n[k];
}

static void take(struct account *a, const struct amounts *want)
{
	add(&a->used, want);
	add(&a->all->used, want);
}

int account_take(struct account *a, const struct amounts *want, struct refusal *ret_refusal)
{
	int r;

	r = check_all(a, want, ret_refusal);
	if (r == 0)
		take(a, want);
	return r;
}

int account_take_one(
	struct account *a, enum account_kind k, uint64_t n, struct refusal *ret_refusal)
{
	int r;

	r = check_kind(a, k, n, ret_refusal);
	if (r)
		return r;
	a->used.n[k] += n;
	a->all->used.n[k] += n;
	return 0;
}

void account_give_one(struct account *a, enum account_kind k, uint64_t n)
{
	assert(a->used.n[k] >= n);
	account_stir(a);
	a->used.n[k] -= n;
	a->all->used.n[k] -= n;
}

void account_give(struct account *a, const struct amounts *back)
{
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		assert(a->used.n[k] >= back->n[k]);
	account_stir(a);
	subtract(&a->used, back);
	subtract(&a->all->used, back);
}

/* Does it leave room for `result` even beside all that is used? Then it does beside what jobs hold.
 */
static bool leaves_plenty(
	const struct account *a, const struct amounts *want, const struct amounts *result)
{
	const struct amounts *max_uid = &a->all->limits.uid, *max_all = &a->all->limits.all;
	uint64_t both;

	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		if (__builtin_add_overflow(want->n[k], result->n[k], &both) ||
			exceeds(a->used.n[k], both, max_uid->n[k]) ||
			exceeds(a->all->used.n[k], both, max_all->n[k]))
			return false;
	return true;
}

static int check_job(const struct account *a, const struct amounts *want,
	const struct amounts *result, struct refusal *ret_refusal)
{
	const struct amounts *mine = &a->by_jobs, *all = &a->all->by_jobs;
	int r;

	r = check_all(a, want, ret_refusal);
	if (r)
		return r;
	/* It fits, so these sums do not wrap around. */
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX && r == 0; k++)
		r = check(a->all, k, mine->n[k] + want->n[k], all->n[k] + want->n[k], result->n[k],
			ret_refusal);
	if (r && ret_refusal)
		ret_refusal->of_jobs = true;
	return r;
}

int account_take_job(struct account *a, const struct amounts *want, const struct amounts *result,
	struct refusal *ret_refusal)
{
	int r;

	r = leaves_plenty(a, want, result) ? 0 : check_job(a, want, result, ret_refusal);
	if (r)
		return r;
	add(&a->by_jobs, want);
	add(&a->all->by_jobs, want);
	/* Who was told to wait may be one who is let in all the same now. */
	a->n_gives += a->is_lenient;
	take(a, want);
	return 0;
}

void account_hold(struct account *a, const struct amounts *held)
{
	account_stir(a);
	add(&a->by_jobs, held);
	add(&a->all->by_jobs, held);
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		assert(a->by_jobs.n[k] <= a->used.n[k]);
}

bool account_is_idle(const struct account *a)
{
	return a->n_results == 0 && a->n_delayed == 0 && a->n_awaiting == 0;
}

bool accounts_are_idle(const struct accounts *all)
{
	return all->n_results == 0 && all->n_delayed == 0;
}

static bool leaves(
	const struct amounts *by_jobs, const struct amounts *want, const struct amounts *max)
{
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		if (exceeds(by_jobs->n[k], want->n[k], max->n[k]))
			return false;
	return true;
}

bool account_is_lenient(const struct account *a)
{
	return a->is_lenient;
}

bool account_jobs_leave(const struct account *a, const struct amounts *want)
{
	return leaves(&a->by_jobs, want, &a->all->limits.uid);
}

bool accounts_jobs_leave(const struct accounts *all, const struct amounts *want)
{
	return leaves(&all->by_jobs, want, &all->limits.all);
}

void account_delay(struct account *a)
{
	a->n_delayed++;
	a->all->n_delayed++;
}

void account_undelay(struct account *a)
{
	assert(a->n_delayed > 0);
	a->n_delayed--;
	a->all->n_delayed--;
	account_stir(a);
}

void account_await(struct account *a)
{
	a->n_awaiting++;
}

void account_unawait(struct account *a)
{
	assert(a->n_awaiting > 0);
	a->n_awaiting--;
	account_stir(a);
}

void accounts_stir(struct accounts *all)
{
	for (struct account *a = all->by_uid; a; a = a->hh.next)
		account_stir(a);
}

int account_check_result(
	const struct account *a, const struct amounts *want, struct refusal *ret_refusal)
{
	const struct accounts *all = a->all;
	const struct amounts *max_uid = &all->limits.uid, *max_all = &all->limits.all;
	bool is_uid_first = a->is_lenient && a->n_results == 0;
	bool is_all_first = all->is_lenient && all->n_results == 0;
	int r = 0;

	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX && r == 0; k++) {
		uint64_t of_uid = a->used.n[k], of_all = all->used.n[k];

		if (is_uid_first && exceeds(a->by_jobs.n[k], want->n[k], max_uid->n[k]))
			of_uid = 0;
		if (is_all_first && exceeds(all->by_jobs.n[k], want->n[k], max_all->n[k]))
			of_all = 0;
		r = check(all, k, of_uid, of_all, want->n[k], ret_refusal);
	}
	return r;
}

/* As often as it fits into one part of what they may, of so many equal ones. */
static uint64_t times(const struct amounts *used, const struct amounts *want,
	const struct amounts *max, unsigned parts, uint64_t most)
{
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++) {
		uint64_t may = max->n[k] / parts;
		uint64_t free = may > used->n[k] ? may - used->n[k] : 0;

		if (want->n[k] && free / want->n[k] < most)
			most = free / want->n[k];
	}
	return most;
}

unsigned account_n_in_half(const struct account *a, const struct amounts *want, unsigned most)
{
	const struct accounts *all = a->all;
	uint64_t n = times(&a->used, want, &all->limits.uid, 2, most);

	return (unsigned)times(&all->used, want, &all->limits.all, 2, n);
}

unsigned account_n_results(const struct account *a, const struct amounts *want, unsigned most)
{
	uint64_t n;

	if (account_check_result(a, want, NULL) != 0)
		return 0;
	n = times(&a->used, want, &a->all->limits.uid, 1, most);
	return n ? (unsigned)n : 1;
}

unsigned accounts_n_results(const struct accounts *all, const struct amounts *want, unsigned most)
{
	return (unsigned)times(&all->used, want, &all->limits.all, 1, most);
}

void account_keep_result(struct account *a, uint64_t bytes, uint64_t fds)
{
	a->used.n[ACCOUNT_BYTES] += bytes;
	a->used.n[ACCOUNT_FDS] += fds;
	a->all->used.n[ACCOUNT_BYTES] += bytes;
	a->all->used.n[ACCOUNT_FDS] += fds;
}

void account_take_result(struct account *a, uint64_t bytes, uint64_t fds)
{
	a->n_results++;
	a->all->n_results++;
	account_keep_result(a, bytes, fds);
}

void account_give_result(struct account *a, uint64_t bytes, uint64_t fds)
{
	assert(a->n_results > 0 && a->used.n[ACCOUNT_BYTES] >= bytes &&
		a->used.n[ACCOUNT_FDS] >= fds);
	account_stir(a);
	a->n_results--;
	a->all->n_results--;
	a->used.n[ACCOUNT_BYTES] -= bytes;
	a->used.n[ACCOUNT_FDS] -= fds;
	a->all->used.n[ACCOUNT_BYTES] -= bytes;
	a->all->used.n[ACCOUNT_FDS] -= fds;
}

void account_job_over(struct account *a, const struct amounts *held)
{
	for (int k = 0; k < _ACCOUNT_AMOUNTS_MAX; k++)
		assert(a->by_jobs.n[k] >= held->n[k]);
	subtract(&a->by_jobs, held);
	subtract(&a->all->by_jobs, held);
	a->is_lenient &= a->by_jobs.n[ACCOUNT_JOBS] > 0;
	a->all->is_lenient &= a->all->by_jobs.n[ACCOUNT_JOBS] > 0;
}

const char *account_kind_name(enum account_kind kind)
{
	static const char *const names[_ACCOUNT_KIND_MAX] = {
#define X(name, word) [ACCOUNT_##name] = word,
		ACCOUNT_KINDS(X)
#undef X
	};

	return names[kind];
}

struct account *accounts_next(struct accounts *all, struct account *after)
{
	return after ? after->hh.next : all->by_uid;
}
