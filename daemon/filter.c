/* Groups have an index in the core; pool, state and label are looked at future by future. The time
 * that takes comes off the share that requests of one uid have of a turn, and no request is about
 * more futures than a list of IDs may have.
 */
#include "daemon/filter.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/extra.h"

bool filter_read_states(struct request *r, const char *key, void *into)
{
	uint32_t *states = into, n = 1;
	enum outcome_state s;
	const char *word;
	size_t len;

	*states = 0;
	(void)!cursor_array(&r->params, &n);
	for (; n > 0; n--) {
		s = cursor_text(&r->params, &word, &len) ? outcome_state_from(word, len)
							 : _OUTCOME_STATE_MAX;
		if (s == _OUTCOME_STATE_MAX)
			return option_refuse(r, key, "the name of a state, or a list of them,");
		*states |= 1u << s;
	}
	return true;
}

static bool same_text(const char *have, const struct text_view *want)
{
	return !want->text || (have && text_equal(want->text, want->len, have));
}

bool filter_goes_through(const struct filter *fl, const struct future *f)
{
	return same_text(future_group(f), &fl->group);
}

bool filter_matches(const struct filter *fl, const struct future *f)
{
	return !f->is_released && (fl->states >> f->state & 1) &&
	       same_text(future_pool(f) ? future_pool(f)->name : NULL, &fl->pool) &&
	       filter_goes_through(fl, f) &&
	       same_text(future_extra(f) ? future_extra(f)->label : NULL, &fl->label);
}

/* ---- going through ---- */

static struct tag_list *group_of(
	const struct filter *fl, const struct core *core, const struct account *account)
{
	return core_find_group(core, account_uid(account), fl->group.text, fl->group.len);
}

struct future *filter_oldest(
	const struct filter *fl, const struct core *core, struct account *account)
{
	struct tag_list *group;

	if (!fl->group.text)
		return TAILQ_FIRST(account_futures(account));
	group = group_of(fl, core, account);
	return group ? TAILQ_FIRST(group)->future : NULL;
}

struct future *filter_newest(
	const struct filter *fl, const struct core *core, struct account *account)
{
	struct tag_list *group;

	if (!fl->group.text)
		return TAILQ_LAST(account_futures(account), futures);
	group = group_of(fl, core, account);
	return group ? TAILQ_LAST(group, tag_list)->future : NULL;
}

struct future *filter_newer(const struct filter *fl, struct future *f)
{
	struct tag *t;

	if (!fl->group.text)
		return TAILQ_NEXT(f, in_uid);
	t = TAILQ_NEXT(&future_tags(f)->group, in_name);
	return t ? t->future : NULL;
}

struct future *filter_older(const struct filter *fl, struct future *f)
{
	struct tag *t;

	if (!fl->group.text)
		return TAILQ_PREV(f, futures, in_uid);
	t = TAILQ_PREV(&future_tags(f)->group, tag_list, in_name);
	return t ? t->future : NULL;
}

/* ---- in place of a list ---- */

struct target {
	struct filter filter;
};

static const struct option target_options[] = {
	FILTER_OPTIONS(struct target, filter),
};

#define FINAL_STATES (~0u << FUTURE_DONE)

/* Where to begin. Who cancels a million by request after request need not go through the same final
 * ones each time: what is final stays so. */
static struct future *first_of(struct request *r, const struct filter *fl)
{
	const struct core *core = &r->server->core;
	struct future *f;

	if (fl->group.text || fl->states & FINAL_STATES)
		return filter_oldest(fl, core, r->conn->account);
	f = core_find(core, r->conn->unfinished_id);
	if (!f)
		f = filter_oldest(fl, core, r->conn->account);
	while (f && future_state_is_final(f->state))
		f = filter_newer(fl, f);
	if (f)
		r->conn->unfinished_id = f->id;
	return f;
}

/* The IDs of the first `room` that match. How many there are; of a part it is not asked. */
static size_t collect(
	struct request *r, const struct filter *fl, bool will_part_do, uint64_t *ids, size_t room)
{
	struct future *f = first_of(r, fl);
	size_t n = 0;

	for (; f && !(will_part_do && n == room); f = filter_newer(fl, f)) {
		if (!filter_matches(fl, f))
			continue;
		if (n < room)
			ids[n] = f->id;
		n++;
	}
	return n;
}

bool filter_or_ids(struct request *r, enum request_order order, bool will_part_do, uint64_t **ret,
	size_t *ret_n)
{
	size_t room = account_used(r->conn->account)->n[ACCOUNT_FUTURES], n;
	struct target target = {.filter = FILTER_INIT};
	cleanup_free uint64_t *ids = NULL;

	if (cursor_peek(&r->params) != CURSOR_MAP)
		return request_ids(r, order, ret, ret_n);
	if (!option_read(r, target_options, ARRAY_SIZE(target_options), &target))
		return false;
	room = room < PROTO_IDS_MAX ? room : PROTO_IDS_MAX;
	ids = malloc((room + 1) * sizeof(*ids));
	if (!ids) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	n = collect(r, &target.filter, will_part_do, ids, room);
	if (n > room && !will_part_do) {
		request_fail(r, OUTCOME_E_TOO_LARGE, "the filter matches %zu futures, at most %u",
			n, PROTO_IDS_MAX);
		return false;
	}
	*ret_n = n < room ? n : room;
	*ret = take_ptr(ids);
	return true;
}
