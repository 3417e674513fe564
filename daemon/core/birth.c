/* Births: of jobs, and of objects that are `done` at once. All that a future will hold is charged
 * before anything is allocated for it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/attempt.h"
#include "daemon/core/edge.h"
#include "daemon/core/life.h"
#include "daemon/core/reservation.h"

/* As long as the record. */
static uint64_t kept_bytes_of(const struct submission *s)
{
	uint64_t bytes = s->extra_bytes + terms_bytes(&s->wishes) + tags_bytes(&s->tags);

	return bytes ? bytes + sizeof(struct annex) : 0;
}

/* Sparse memfds may claim any size: a sum that wrapped around would fit in every quota. */
static struct amounts amounts_of(const struct submission *s, uint64_t kept_bytes)
{
	uint64_t sum;

	if (__builtin_add_overflow(s->input_bytes, kept_bytes, &sum))
		sum = UINT64_MAX;
	return (struct amounts){.n = {
					[ACCOUNT_BYTES] = sum,
					[ACCOUNT_JOBS] = s->pool != NULL,
					[ACCOUNT_FUTURES] = 1,
					[ACCOUNT_FDS] = s->input_fds,
				}};
}

/* Beside what must stay free of the account. */
static int take_beside(
	const struct submission *s, const struct amounts *want, struct refusal *ret_refusal)
{
	struct amounts own = reservation_beside(s->pool);
	struct amounts room = reservation_beside_after(s->pool, s->wishes.after, s->wishes.n_after);
	int r;

	r = account_take_job(s->account, want, &room, ret_refusal);
	if (r && ret_refusal && ret_refusal->of_jobs)
		ret_refusal->for_others = room.n[ret_refusal->kind] - own.n[ret_refusal->kind];
	return r;
}

static int take(const struct submission *s, const struct amounts *want, struct refusal *ret_refusal)
{
	struct amounts own;

	if (!s->pool)
		return account_take(s->account, want, ret_refusal);
	if (!s->wishes.n_after) { /* most, and they fit */
		own = reservation_of(s->pool);
		if (account_take_job(s->account, want, &own, NULL) == 0)
			return 0;
	}
	return take_beside(s, want, ret_refusal);
}

static struct future *future_new(
	struct core *c, const struct submission *s, uint64_t kept_bytes, uint64_t now_us)
{
	struct future *f = slab_take(&c->memory);
	bool is_whole;

	if (f) {
		f->account = s->account;
		f->run = future_no_run();
	}
	if (!f || !kept_bytes)
		return f;
	is_whole = future_take_annex(f) == 0;
	if (is_whole && terms_bytes(&s->wishes)) {
		f->annex->terms = terms_new(&s->wishes, now_us);
		is_whole = f->annex->terms;
	}
	if (is_whole && tags_bytes(&s->tags))
		is_whole = tags_new(&c->groups, &c->keys, f, &s->tags, &f->annex->tags) == 0;
	return is_whole ? f : life_free(c, f);
}

static int birth(struct core *c, const struct submission *s, uint64_t now_us, struct future **ret,
	struct refusal *ret_refusal)
{
	uint64_t kept_bytes = kept_bytes_of(s);
	struct amounts want = amounts_of(s, kept_bytes);
	struct futures *of_uid = account_futures(s->account);
	struct future *f;
	int r;

	if (c->is_closed)
		return CORE_E_DRAINING;
	if (c->next_id >= c->id_end)
		return -EAGAIN;
	r = take(s, &want, ret_refusal);
	if (r)
		return r;
	r = s->is_patient ? admission_check_order(s->account, &want, ret_refusal) : 0;
	f = r ? NULL : future_new(c, s, kept_bytes, now_us);
	if (r == 0)
		r = f ? roll_reserve(&c->roll) : -ENOMEM;
	if (r == 0)
		r = life_add_timer(c);
	if (r) {
		life_free(c, f);
		if (s->pool)
			account_job_over(s->account, &want);
		account_give(s->account, &want);
		return r;
	}
	f->id = c->next_id++;
	account_ref(f->account);
	if (s->extra)
		f->annex->extra = s->extra;
	f->kept_bytes = kept_bytes;
	future_set_in(f, &s->in);
	f->ttl_us = s->ttl_us;
	f->submitted_us = now_us;
	f->timer.owner = CORE_TIMER_FUTURE;
	future_table_add(&c->table, f);
	roll_add(&c->roll, f->id);
	TAILQ_INSERT_TAIL(of_uid, f, in_uid);
	*ret = f;
	return 0;
}

/* Who submits again what has a key gets what that led to, whatever else has changed since. */
int core_find_known(const struct core *c, const struct submission *s, struct future **ret)
{
	const struct tag_wishes *w = &s->tags;
	struct tag_list *tags = NULL;

	if (w->key)
		tags = tag_find(&c->keys, account_uid(s->account), w->key, w->key_len);
	if (!tags)
		return 0;
	*ret = TAILQ_FIRST(tags)->future;
	return future_tags(*ret)->content == w->content ? CORE_E_KNOWN : CORE_E_KEY_CONFLICT;
}

int core_submit(struct core *c, const struct submission *s, uint64_t now_us, struct future **ret,
	struct refusal *ret_refusal)
{
	struct pool *p = s->pool;
	struct future *f;
	int r;

	r = s->tags.key ? core_find_known(c, s, ret) : 0;
	if (r)
		return r;
	if (pool_is_closed(p) || pool_is_broken(p))
		return CORE_E_POOL_FAILED;
	if (p->is_draining)
		return CORE_E_DRAINING;
	r = birth(c, s, now_us, &f, ret_refusal);
	if (r)
		return r;
	f->function = s->function;
	p->n_users++;
	f->priority = s->priority;
	f->timeout_us = s->timeout_us ? s->timeout_us : p->config.timeout_us;
	f->grace_us = s->grace_us ? s->grace_us : p->config.grace_us;
	f->input_bytes = s->input_bytes;
	f->input_fds = s->input_fds;
	f->texts_bytes = (uint32_t)f->kept_bytes;
	c->n_unfinished++;
	p->n_unfinished++;
	r = queue_join(&p->queue, f);
	if (r < 0) {
		if (s->extra)
			f->annex->extra = NULL;
		life_undo(c, f);
		return r;
	}
	f->input = s->input;
	if (future_terms(f)) {
		reservation_note_after(f, s->wishes.after, s->wishes.n_after);
		edges_tie(c, f, s->wishes.after);
	}
	attempt_first(c, f, now_us);
	p->n_submitted++;
	*ret = f;
	return 0;
}

void core_withdraw(struct core *c, struct future *f)
{
	assert(!future_state_is_final(f->state) && !f->run->slot);
	attempt_withdraw(f);
	future_pool(f)->n_submitted--;
	life_undo(c, f);
}

int core_put(struct core *c, const struct submission *s, uint64_t now_us, struct future **ret,
	struct refusal *ret_refusal)
{
	struct future *f;
	int r;

	r = s->tags.key ? core_find_known(c, s, ret) : 0;
	if (r)
		return r;
	r = birth(c, s, now_us, &f, ret_refusal);
	if (r)
		return r;
	f->end.value = s->input;
	f->kept_bytes += s->input_bytes;
	f->kept_fds = s->input_fds;
	f->state = FUTURE_DONE;
	f->end.finished_us = now_us;
	f->end.seq = ++c->final_seq;
	life_arm(c, f);
	*ret = f;
	return 0;
}
