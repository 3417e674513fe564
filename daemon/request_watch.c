/* watch, watch_add, unwatch: being told what becomes of futures. */
#include <stdlib.h>

#include "daemon/option.h"
#include "daemon/reply.h"
#include "daemon/request.h"
#include "daemon/watch.h"
#include "daemon/watch_event.h"

struct watch_options {
	uint64_t *ids;
	size_t n_ids;
	struct text_view group;
	bool is_of_all;
	bool progress, output;
};

static bool read_ids(struct request *r, const char *key, void *into)
{
	struct watch_options *o = into;

	return request_read_ids(r, REQUEST_SORTED, &o->ids, &o->n_ids);
}

static bool read_group(struct request *r, const char *key, void *into)
{
	struct text_view *group = into;

	if (!option_text(r, key, group))
		return false;
	if (group->len > 0 && group->len <= TAG_TEXT_BYTES)
		return true;
	request_fail(r, OUTCOME_E_BAD_REQUEST, "option %s: %zu bytes, it has 1 to %u", key,
		group->len, TAG_TEXT_BYTES);
	return false;
}

static const struct option options[] = {
	{"ids", read_ids, 0},
	OPTION("group", read_group, struct watch_options, group),
	OPTION("all", option_bool, struct watch_options, is_of_all),
	OPTION("progress", option_bool, struct watch_options, progress),
	OPTION("output", option_bool, struct watch_options, output),
};

/* What becomes of the futures of a request: those that are final first. */
struct taking {
	struct request *r;
	struct watch *watch;
	bool is_final; /* takes those that are, or those that are not */
	int error;     /* as watch_take() */
	struct refusal why;
};

static void take_one(struct taking *t, struct future *f)
{
	if (t->error == 0 && !f->is_released && future_state_is_final(f->state) == t->is_final)
		t->error = watch_take(t->watch, f, &t->why);
}

static void take_ids(struct taking *t, const uint64_t *ids, size_t n)
{
	enum outcome_code code;

	for (size_t i = 0; i < n; i++) {
		struct future *f = request_find(t->r, ids[i], &code);

		if (f)
			take_one(t, f);
	}
}

static void take_group(struct taking *t, const struct text_view *group)
{
	struct tag_list *members = core_find_group(
		&t->r->server->core, t->r->conn->uid, group->text, group->len);
	struct tag *tag;

	if (members)
		TAILQ_FOREACH (tag, members, in_name)
			take_one(t, tag->future);
}

/* `all` starts now: what has ended before is not told. */
static void take_all(struct taking *t)
{
	struct futures *own = account_futures(t->r->conn->account);
	struct future *f;

	if (t->is_final)
		return;
	if (t->r->conn->is_admin)
		CORE_FOREACH (f, &t->r->server->core)
			take_one(t, f);
	else
		TAILQ_FOREACH (f, own, in_uid)
			take_one(t, f);
}

static void take(struct taking *t, const struct watch_options *o)
{
	take_ids(t, o->ids, o->n_ids);
	if (o->group.text)
		take_group(t, &o->group);
	if (o->is_of_all)
		take_all(t);
}

/* Behind the answer, and before the events of futures that are there. */
static void tell_unknown(struct request *r, const struct watch *w, const uint64_t *ids, size_t n)
{
	enum outcome_code code;

	for (size_t i = 0; i < n; i++) {
		const struct watch_event to = {r->conn, watch_number(w), ids[i]};

		if (!request_find(r, ids[i], &code))
			watch_event_unknown(&to, code);
	}
}

static struct watch *new_watch(struct request *r, const struct watch_options *o)
{
	const struct watch_wishes wishes = {
		.progress = o->progress,
		.output = o->output,
		.is_of_all = o->is_of_all,
		.is_of_everyone = o->is_of_all && r->conn->is_admin,
		.group = o->group.text,
		.group_len = o->group.len,
	};
	struct refusal why;
	struct watch *w;
	int e;

	e = watch_new(&r->server->watches, r->conn, &wishes, &w, &why);
	if (e == 0)
		return w;
	request_fail_charge(r, e, &why);
	return NULL;
}

static void watch(struct request *r, const struct watch_options *o)
{
	struct taking t = {.r = r, .watch = new_watch(r, o), .is_final = true};

	if (!t.watch)
		return;
	take(&t, o);
	t.is_final = false;
	take(&t, o);
	if (t.error) {
		watch_remove(t.watch);
		request_fail_charge(r, t.error, &t.why);
		return;
	}
	bufpack_uint(reply_begin(reply_to_request(r)), watch_number(t.watch));
	reply_end();
	tell_unknown(r, t.watch, o->ids, o->n_ids);
}

void request_watch(struct request *r)
{
	struct watch_options o = {0};

	if (!option_read(r, options, ARRAY_SIZE(options), &o))
		goto out;
	if (o.ids || o.group.text || o.is_of_all)
		watch(r, &o);
	else
		request_fail(r, OUTCOME_E_BAD_REQUEST, "watch wants ids, a group, or all");
out:
	free(o.ids);
}

static struct watch *read_watch(struct request *r)
{
	struct watch *w = NULL;
	uint64_t number;

	if (!request_next(r) || !cursor_uint(&r->params, &number)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "the number of a watch is wanted");
		return NULL;
	}
	w = watch_find(&r->server->watches, r->conn, number);
	if (!w)
		request_fail(r, OUTCOME_E_BAD_REQUEST, "this connection has no watch %llu",
			(unsigned long long)number);
	return w;
}

void request_watch_add(struct request *r)
{
	cleanup_free uint64_t *ids = NULL;
	struct taking t = {.r = r, .watch = read_watch(r), .is_final = true};
	size_t n;

	if (!t.watch || !request_ids(r, REQUEST_SORTED, &ids, &n))
		return;
	take_ids(&t, ids, n);
	t.is_final = false;
	take_ids(&t, ids, n);
	if (t.error) {
		request_fail_charge(r, t.error, &t.why);
		return;
	}
	reply_true(reply_to_request(r));
	tell_unknown(r, t.watch, ids, n);
}

void request_unwatch(struct request *r)
{
	struct watch *w = read_watch(r);

	if (!w)
		return;
	watch_remove(w);
	reply_true(reply_to_request(r));
}
