/* info, list: what is known of futures.
 *
 * A list may have to go through a million futures to find none. It looks at LOOKS_A_TURN of them,
 * and if that is not all it becomes a pending that goes on in the next turns, in its uid's share of
 * them. What it has found so far, and where it stands, is pinned, so the lists that it goes through
 * hold; what does not match any more when it is through is left out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/filter.h"
#include "daemon/info.h"
#include "daemon/reply.h"

/* A list stops before its answer exceeds a message; an info is far smaller than the difference. */
#define LIST_BYTES (PROTO_MESSAGE_BYTES - 128u * 1024u)
/* About a millisecond, if they were not looked at for long. */
#define LOOKS_A_TURN 8192u

void request_info(struct request *r)
{
	struct future *f = request_future(r);

	if (!f)
		return;
	info_pack(reply_begin(reply_to_request(r)), f, PROTO_AHEAD_MAX);
	reply_end();
}

/* ---- which ---- */

struct list_filter {
	struct filter futures;
	bool all_owners;
	bool has_owner;
	uint32_t owner;
	uint64_t since_us;	/* submitted at or after; monotonic */
	uint64_t before, after; /* IDs, exclusive */
	uint64_t limit;
};

static bool matches(const struct future *f, const struct list_filter *l)
{
	return f->submitted_us >= l->since_us && f->id < l->before &&
	       (!l->after || f->id > l->after) && filter_matches(&l->futures, f);
}

static bool read_owner(struct request *r, const char *key, void *into)
{
	struct list_filter *l = into;
	const char *word;
	uint64_t uid;
	size_t len;

	if (cursor_uint(&r->params, &uid) && uid < UINT32_MAX) {
		l->has_owner = true;
		l->owner = (uint32_t)uid;
	} else if (cursor_text(&r->params, &word, &len) && text_equal(word, len, "all")) {
		l->all_owners = true;
	} else {
		return option_refuse(r, key, "a uid or \"all\"");
	}
	if (r->conn->is_admin || (l->has_owner && l->owner == r->conn->uid))
		return true;
	request_fail(r, OUTCOME_E_NOT_ALLOWED,
		"the futures of other uids are for root, uid %u and the admin group",
		(unsigned)geteuid());
	return false;
}

/* Unix seconds to the monotonic clock. */
static bool read_since(struct request *r, const char *key, void *into)
{
	uint64_t ago_us, now_us = clock_us(CLOCK_REALTIME);
	double at;

	if (!cursor_number(&r->params, &at) || !isfinite(at) || at < 0 || at > 1e11)
		return option_refuse(r, key, "unix seconds");
	ago_us = (uint64_t)(at * 1e6) < now_us ? now_us - (uint64_t)(at * 1e6) : 0;
	*(uint64_t *)into = r->now_us > ago_us ? r->now_us - ago_us : 0;
	return true;
}

static const struct option list_options[] = {
	FILTER_OPTIONS(struct list_filter, futures),
	{"owner", read_owner, 0},
	OPTION("since", read_since, struct list_filter, since_us),
	OPTION("before", option_number, struct list_filter, before),
	OPTION("after", option_number, struct list_filter, after),
	OPTION("limit", option_number, struct list_filter, limit),
};

/* Whose futures to go through. NULL: everybody's, or nobody's. */
static struct account *account_of(struct request *r, const struct list_filter *l)
{
	if (l->all_owners)
		return NULL;
	return l->has_owner ? accounts_find(&r->server->core.accounts, l->owner) : r->conn->account;
}

static struct future *list_prev(struct core *core, const struct list_filter *l, struct future *f)
{
	return l->all_owners ? core_older(core, f->id) : filter_older(&l->futures, f);
}

/* The newest that may match: a page begins where the last one ended; of one owner's, if that future
 * is still there. */
static struct future *list_begin(struct request *r, const struct list_filter *l)
{
	struct core *core = &r->server->core;
	struct account *account = account_of(r, l);
	struct future *f = core_find(core, l->before);

	if (l->all_owners)
		return core_older(core, l->before);
	if (!account)
		return NULL;
	if (f && f->account == account && filter_goes_through(&l->futures, f))
		return filter_older(&l->futures, f);
	return filter_newest(&l->futures, core, account);
}

/* ---- going through ---- */

struct walk {
	struct list_filter l;
	struct future *at; /* to be looked at next; NULL: that was all */
	struct future **found;
	size_t n;
};

/* Finds the newest that match, up to the limit. True: it is through. */
static bool walk_on(struct core *core, struct walk *w)
{
	const struct list_filter *l = &w->l;

	for (unsigned i = 0; w->at && w->n < l->limit && w->at->id > l->after; i++) {
		if (i == LOOKS_A_TURN)
			return false;
		if (matches(w->at, l))
			w->found[w->n++] = w->at;
		w->at = list_prev(core, l, w->at);
	}
	return true;
}

/* How many of the found, newest first, fit in one message: the rest is asked for with `before`. */
static size_t what_fits(struct future **found, size_t n)
{
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	struct bufpack p;
	size_t bytes = 0, fit;

	for (fit = 0; fit < n && bytes < LIST_BYTES; fit++) {
		buf_clear(&b);
		bufpack_init(&p, &b);
		info_pack(&p, found[fit], 0);
		bytes += buf_used(&b);
	}
	buf_deinit(&b);
	return fit;
}

static void walk_answer(const struct walk *w, struct reply_to to)
{
	size_t n = what_fits(w->found, w->n);
	struct bufpack *p = reply_begin(to);

	bufpack_array(p, n);
	while (n > 0)
		info_pack(p, w->found[--n], 0);
	reply_end();
}

/* ---- in several turns ---- */

struct listing {
	struct pending pending;
	struct heap_node timer;
	struct reply_to to;
	struct walk walk; /* walk.at and all that were found are pinned */
	size_t bytes;	  /* charged */
	char texts[];	  /* of the filter */
};

static void listing_write(struct pending *p)
{
	struct listing *g = container_of(p, struct listing, pending);
	struct walk w = g->walk;
	size_t n = 0;

	w.found = malloc((w.n + 1) * sizeof(*w.found));
	if (!w.found) {
		reply_error(g->to, "full", "out of memory");
		return;
	}
	for (size_t i = 0; i < w.n; i++)
		if (matches(g->walk.found[i], &w.l))
			w.found[n++] = g->walk.found[i];
	w.n = n;
	walk_answer(&w, g->to);
	free(w.found);
}

static void listing_on_time(struct pending *p, uint64_t now_us)
{
	struct listing *g = container_of(p, struct listing, pending);
	struct core *core = p->conn->conns->core;
	struct future *was_at = g->walk.at;
	uint64_t start_us = clock_now_us();
	size_t n = g->walk.n;
	bool is_through;

	pending_set_time(p, now_us + 1); /* in the next turn */
	if (!conns_have_time(p->conn->conns, p->conn->uid))
		return;
	is_through = walk_on(core, &g->walk);
	for (; n < g->walk.n; n++)
		core_pin(g->walk.found[n]);
	if (g->walk.at)
		core_pin(g->walk.at);
	core_unpin(core, was_at);
	conns_spend(p->conn->conns, p->conn->uid, clock_now_us() - start_us);
	if (!is_through)
		return;
	pending_set_time(p, HEAP_NEVER);
	pending_ready(p);
}

static void listing_free(struct pending *p, bool is_closing)
{
	struct listing *g = container_of(p, struct listing, pending);
	struct core *core = p->conn->conns->core;

	for (size_t i = 0; i < g->walk.n; i++)
		core_unpin(core, g->walk.found[i]);
	if (g->walk.at)
		core_unpin(core, g->walk.at);
	account_give_one(p->conn->account, ACCOUNT_BYTES, g->bytes);
	free(g->walk.found);
	free(g);
}

const struct pending_ops listing_ops = {
	listing_write, listing_on_time, listing_free, .timer_at = PENDING_TIMER_AT(struct listing)};

static void keep_text(struct text_view *view, char **at)
{
	if (!view->text)
		return;
	memcpy(*at, view->text, view->len);
	view->text = *at;
	*at += view->len;
}

/* -ENOMEM, or an ACCOUNT_E_ with *ret_refusal. */
static int listing_new(
	struct request *r, const struct walk *w, struct listing **ret, struct refusal *ret_refusal)
{
	const struct filter *fl = &w->l.futures;
	size_t texts = fl->pool.len + fl->group.len + fl->label.len;
	size_t bytes = sizeof(struct listing) + texts + w->l.limit * sizeof(*w->found);
	struct listing *g;
	int e;

	e = account_take_one(r->conn->account, ACCOUNT_BYTES, bytes, ret_refusal);
	if (e)
		return e;
	g = calloc(1, sizeof(*g) + texts);
	e = g ? pending_add(&g->pending, r->conn, PENDING_LISTING, ret_refusal) : -ENOMEM;
	if (e) {
		free(g);
		account_give_one(r->conn->account, ACCOUNT_BYTES, bytes);
		return e;
	}
	g->bytes = bytes;
	*ret = g;
	return 0;
}

/* Takes w->found, on success only. */
static bool go_on_later(struct request *r, const struct walk *w)
{
	struct refusal why;
	struct listing *g;
	char *texts;
	int e;

	e = listing_new(r, w, &g, &why);
	if (e) {
		request_fail_charge(r, e, &why);
		return false;
	}
	g->to = reply_to_request(r);
	g->walk = *w;
	texts = g->texts;
	keep_text(&g->walk.l.futures.pool, &texts);
	keep_text(&g->walk.l.futures.group, &texts);
	keep_text(&g->walk.l.futures.label, &texts);
	for (size_t i = 0; i < w->n; i++)
		core_pin(w->found[i]);
	core_pin(w->at);
	pending_set_time(&g->pending, r->now_us);
	return true;
}

void request_list(struct request *r)
{
	struct walk w = {
		.l = {.futures = FILTER_INIT, .before = PROTO_ID_END, .limit = PROTO_LIST_MAX}};

	if (!option_read(r, list_options, ARRAY_SIZE(list_options), &w.l))
		return;
	if (w.l.limit > PROTO_IDS_MAX)
		w.l.limit = PROTO_IDS_MAX;
	w.found = malloc((w.l.limit + 1) * sizeof(*w.found));
	if (!w.found) {
		request_fail_errno(r, -ENOMEM);
		return;
	}
	w.at = list_begin(r, &w.l);
	if (walk_on(&r->server->core, &w))
		walk_answer(&w, reply_to_request(r));
	else if (go_on_later(r, &w))
		return;
	free(w.found);
}
