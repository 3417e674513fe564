/* Accounts: one per uid, and their sum.
 *
 * A limit is checked against what the use would become, before anything is allocated; taking is all
 * or nothing over all kinds, so that no path has to undo half of it. Whoever took gives back:
 * futures hold their account by reference and remember what they took, connections likewise. An
 * account with no reference holds nothing, which is how "no clients, no jobs: all accounts are
 * zero" can be looked at from outside.
 */
#include "daemon/core/account.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1 /* out of memory is an error like others, not the end */
#include <uthash.h>

struct account {
	uint32_t uid;
	unsigned n_refs;
	struct accounts *all;
	struct amounts used;
	struct futures futures;
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

struct futures *account_futures(struct account *a)
{
	return &a->futures;
}

/* Would `used + want` exceed max? Written so that nothing can wrap around. */
static bool exceeds(uint64_t used, uint64_t want, uint64_t max)
{
	return want > 0 && (used > max || want > max - used);
}

static int check_kind(
	const struct account *a, enum account_kind k, uint64_t want, struct refusal *ret_refusal)
{
	const struct accounts *all = a->all;
	bool of_uid = exceeds(a->used.n[k], want, all->limits.uid.n[k]);

	if (!of_uid && !exceeds(all->used.n[k], want, all->limits.all.n[k]))
		return 0;
	if (ret_refusal)
		*ret_refusal = (struct refusal){
			.kind = k,
			.of_uid = of_uid,
			.value = (of_uid ? a->used.n[k] : all->used.n[k]) + want,
			.max = of_uid ? all->limits.uid.n[k] : all->limits.all.n[k],
		};
	return of_uid ? ACCOUNT_E_QUOTA : ACCOUNT_E_FULL;
}

int account_take(struct account *a, const struct amounts *want, struct refusal *ret_refusal)
{
	int r;

	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
		r = check_kind(a, k, want->n[k], ret_refusal);
		if (r)
			return r;
	}
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
		a->used.n[k] += want->n[k];
		a->all->used.n[k] += want->n[k];
	}
	return 0;
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
	a->used.n[k] -= n;
	a->all->used.n[k] -= n;
}

void account_give(struct account *a, const struct amounts *back)
{
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		account_give_one(a, k, back->n[k]);
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
