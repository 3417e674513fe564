/* Who holds how much. Every allocation for a peer passes here before it is made. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* X(NAME, word of the limit): what is counted, per uid and in all. The first ones are those of
 * which jobs, objects and results take several at once; of the others one is taken by itself.
 *   bytes        inputs, results, objects, buffers of connections
 *   jobs         jobs that are not final
 *   futures      records kept: jobs and objects, final or not
 *   fds          fds held for inputs, results and outputs
 *   waits        requests that wait for something
 *   unread_fds   fds on their way to clients that have not read them
 *   parked_bytes messages of requests that wait to be let in
 *   parked_fds   what came with them */
#define ACCOUNT_KINDS(X)                                                                           \
	X(BYTES, "bytes")                                                                          \
	X(JOBS, "jobs")                                                                            \
	X(FUTURES, "futures")                                                                      \
	X(FDS, "fds")                                                                              \
	X(CONNECTIONS, "connections")                                                              \
	X(WAITS, "waits")                                                                          \
	X(UNREAD_FDS, "unread_fds")                                                                \
	X(PARKED_BYTES, "parked_bytes")                                                            \
	X(PARKED_FDS, "parked_fds")
enum account_kind {
#define X(name, word) ACCOUNT_##name,
	ACCOUNT_KINDS(X)
#undef X
		_ACCOUNT_KIND_MAX,
	_ACCOUNT_AMOUNTS_MAX = ACCOUNT_FDS + 1,
};

enum {
	ACCOUNT_E_QUOTA = 1, /* a limit of this uid */
	ACCOUNT_E_FULL = 2,  /* a limit of all uids together */
};

/* What is wanted or given at once has nothing from _ACCOUNT_AMOUNTS_MAX on. */
struct amounts {
	uint64_t n[_ACCOUNT_KIND_MAX];
};

struct account_limits {
	struct amounts uid;
	struct amounts all;
};

/* Which limit refused, by how much. */
struct refusal {
	enum account_kind kind;
	bool of_uid;
	bool of_jobs; /* only what jobs hold until their ends was counted, and room for a result */
	bool is_behind;	     /* there was room, but others came before: it is their refusal */
	uint64_t value;	     /* what it would have become */
	uint64_t for_others; /* of it, what is only for results of others, and not for ever */
	uint64_t max;
};

struct accounts {
	struct account_limits limits;
	struct amounts used;
	struct amounts by_jobs; /* of it, what jobs hold until their end */
	uint64_t n_results;	/* jobs that have room for a result */
	uint64_t n_delayed;	/* jobs that wait for a time */
	bool is_lenient;	/* admitted jobs may be without such room: see below */
	uint64_t n_gives;	/* goes up whenever who waits for room should look again */
	struct account *by_uid; /* uthash */
};

struct admission_queue;
struct future;
TAILQ_HEAD(futures, future);

/* Lives while somebody holds a reference. */
struct account;

void accounts_init(struct accounts *all, const struct account_limits *limits);
/* No account may be left. */
void accounts_deinit(struct accounts *all);
/* Other limits from now on. Nothing is taken from those who hold more. */
void accounts_set_limits(struct accounts *all, const struct account_limits *limits);
/* What was sure when jobs were admitted is so no longer: results need more room, or there is less.
 * Until those jobs are over, see account_check_result(). */
void accounts_be_lenient(struct accounts *all);
/* It still has jobs from before that: none of them is stuck, at worst they run one by one. */
bool account_is_lenient(const struct account *a);
/* The account of a uid with one more reference, made if there is none. -ENOMEM. */
__attribute__((warn_unused_result)) int account_get(
	struct accounts *all, uint32_t uid, struct account **ret);
struct account *account_ref(struct account *a);
/* The last reference frees it; it then holds nothing. Takes NULL, returns NULL. */
struct account *account_unref(struct account *a);

uint32_t account_uid(const struct account *a);
const struct amounts *account_used(const struct account *a);
/* Of it, what jobs hold until their end. */
const struct amounts *account_by_jobs(const struct account *a);
/* Goes up whenever this account gave something back, more of it is held by jobs, or a delay
 * ended. */
uint64_t account_n_gives(const struct account *a);
/* Lets it go up: what was hoped for may not come. */
void account_stir(struct account *a);
void accounts_stir(struct accounts *all);
/* All futures of this uid, by ID: the core's list, kept here. */
struct futures *account_futures(struct account *a);
/* Who waits to be let in: likewise. */
struct admission_queue *account_admissions(struct account *a);

/* Takes all of `want`, or nothing. 0, or ACCOUNT_E_ with *ret_refusal (may be NULL). */
__attribute__((warn_unused_result)) int account_take(
	struct account *a, const struct amounts *want, struct refusal *ret_refusal);
void account_give(struct account *a, const struct amounts *back);
/* Takes what a job holds until its end. Also refused if that, beside what other such jobs hold,
 * leaves no room for `result`: else waiting jobs could fill an account so that none ever starts. */
__attribute__((warn_unused_result)) int account_take_job(struct account *a,
	const struct amounts *want, const struct amounts *result, struct refusal *ret_refusal);
/* Of what the account holds, so much is from now on held by a job until its end. */
void account_hold(struct account *a, const struct amounts *held);
/* Would what jobs hold until their ends leave this, if nothing else were held? */
bool account_jobs_leave(const struct account *a, const struct amounts *want);
bool accounts_jobs_leave(const struct accounts *all, const struct amounts *want);
/* A job waits for a time; no longer. */
void account_delay(struct account *a);
void account_undelay(struct account *a);
/* A job waits for a future of another account; no longer. */
void account_await(struct account *a);
void account_unawait(struct account *a);
/* No job has room for a result, and none waits for a time or, where one account is asked for, for
 * others: nothing ends by itself. */
bool account_is_idle(const struct account *a);
bool accounts_are_idle(const struct accounts *all);
/* Could room for the result of a job be taken, beside what the job holds? As account_take(); but
 * where jobs by themselves leave no such room, though they did when they were admitted, one of them
 * has it all the same as long as no other one has: else none of them would ever end. */
__attribute__((warn_unused_result)) int account_check_result(
	const struct account *a, const struct amounts *want, struct refusal *ret_refusal);
/* How many times, up to `most`: as far as the uid's own limits go, and as far as those of all
 * do. */
unsigned account_n_results(const struct account *a, const struct amounts *want, unsigned most);
unsigned accounts_n_results(const struct accounts *all, const struct amounts *want, unsigned most);
/* How many times, up to `most`, so that both the uid and all together leave half of what they may.
 */
unsigned account_n_in_half(const struct account *a, const struct amounts *want, unsigned most);
/* Takes the room for a result, after that was asked; gives it back. */
void account_take_result(struct account *a, uint64_t bytes, uint64_t fds);
void account_give_result(struct account *a, uint64_t bytes, uint64_t fds);
/* Takes what replaces a room that was given back just now, and fits into it. */
void account_keep_result(struct account *a, uint64_t bytes, uint64_t fds);
/* The job is over: what it held counts no longer as such. Nothing is given back by this. */
void account_job_over(struct account *a, const struct amounts *held);
/* The same for one kind. */
__attribute__((warn_unused_result)) int account_take_one(
	struct account *a, enum account_kind kind, uint64_t n, struct refusal *ret_refusal);
void account_give_one(struct account *a, enum account_kind kind, uint64_t n);
/* The word of the limit. */
const char *account_kind_name(enum account_kind kind);
/* Of a uid that holds something; NULL. No reference is taken. */
struct account *accounts_find(struct accounts *all, uint32_t uid);
/* The first account (after = NULL), the next one, NULL at the end: for statistics. */
struct account *accounts_next(struct accounts *all, struct account *after);
