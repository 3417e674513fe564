/* info, list: what is known of futures. */
#include <math.h>
#include <stdlib.h>

#include "daemon/reply.h"
#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/core/explain.h"
#include "daemon/extra.h"
#include "daemon/failure.h"
#include "daemon/filter.h"

/* A list stops before its answer exceeds a message; an info is far smaller than the difference. */
#define LIST_BYTES (PROTO_MESSAGE_BYTES - 128u * 1024u)

/* ---- one map
 * ------------------------------------------------------------------------------------- The fields
 * that apply are counted by packing them: a map's count stands in front, so it is written once as
 * map 16 and filled in at the end. */

struct fields {
	struct bufpack *p;
	size_t count_at; /* offset of the count in the packer's buffer */
	uint16_t n;
};

static void fields_begin(struct fields *fs, struct bufpack *p)
{
	static const uint8_t map16[3] = {0xde};

	fs->p = p;
	fs->n = 0;
	fs->count_at = buf_used(p->buf) + 1;
	bufpack_raw(p, map16, sizeof(map16));
}

static struct bufpack *field(struct fields *fs, const char *key)
{
	fs->n++;
	bufpack_text(fs->p, key);
	return fs->p;
}

static void fields_end(struct fields *fs)
{
	uint8_t *count;

	if (bufpack_error(fs->p) != 0)
		return;
	count = fs->p->buf->data + fs->p->buf->head + fs->count_at;
	count[0] = (uint8_t)(fs->n >> 8);
	count[1] = (uint8_t)fs->n;
}

static void pack_bytes(struct bufpack *p, const struct future *f)
{
	uint64_t in = f->in.inline_bytes + f->in.memfd_bytes,
		 out = f->out.inline_bytes + f->out.memfd_bytes;

	bufpack_map(p, 6);
	bufpack_text(p, "in");
	bufpack_uint(p, in);
	bufpack_text(p, "out");
	bufpack_uint(p, out);
	bufpack_text(p, "inline");
	bufpack_uint(p, f->in.inline_bytes + f->out.inline_bytes);
	bufpack_text(p, "memfd");
	bufpack_uint(p, f->in.memfd_bytes + f->out.memfd_bytes);
	bufpack_text(p, "copied");
	bufpack_uint(p, f->in.copied_bytes + f->out.copied_bytes);
	bufpack_text(p, "total");
	bufpack_uint(p, in + out);
}

static void pack_refusal(struct fields *fs, const struct refusal *why)
{
	outcome_pack_limit(fs->p, account_kind_name(why->kind), why->value, why->max);
	fs->n += 3;
	bufpack_text(field(fs, "of"), why->of_uid ? "uid" : "all");
}

static void pack_waits_for(struct bufpack *p, const struct explanation *e)
{
	static const char *const kinds[] = {
		[EXPLAIN_WORKER] = "worker",
		[EXPLAIN_QUOTA] = "quota",
		[EXPLAIN_DELAY] = "delay",
		[EXPLAIN_DEPENDENCY] = "dependency",
		[EXPLAIN_STARTING] = "starting",
		[EXPLAIN_DEGRADED] = "degraded",
		[EXPLAIN_PAUSED] = "paused",
	};
	struct fields fs;

	fields_begin(&fs, p);
	bufpack_text(field(&fs, "kind"), kinds[e->kind]);
	if (e->id)
		bufpack_uint(field(&fs, "id"), e->id);
	if (e->pool)
		bufpack_text(field(&fs, "pool"), e->pool->name);
	if (e->has_ahead)
		bufpack_uint(field(&fs, "ahead"), e->ahead);
	if (e->until_us)
		bufpack_seconds(field(&fs, "until"), clock_unix_us(e->until_us));
	if (e->reason)
		bufpack_text(field(&fs, "reason"), e->reason);
	if (e->kind == EXPLAIN_QUOTA)
		pack_refusal(&fs, &e->refusal);
	fields_end(&fs);
}

static void pack_progress(struct bufpack *p, const struct future_extra *e)
{
	bufpack_array(p, 3);
	bufpack_uint(p, e->progress_done);
	bufpack_uint(p, e->progress_total);
	bufpack_text(p, e->progress_text ? e->progress_text : "");
}

static void pack_texts(struct fields *fs, const struct future_extra *e)
{
	if (e->label)
		bufpack_text(field(fs, "label"), e->label);
	if (e->has_progress)
		pack_progress(field(fs, "progress"), e);
}

static void pack_job(struct fields *fs, const struct future *f, uint64_t ahead_max, uint64_t now_us)
{
	struct explanation e = explain(f, ahead_max, now_us);
	bool is_final = future_state_is_final(f->state);
	pid_t pid = f->slot ? workers_pid(f->slot) : 0;

	bufpack_text(field(fs, "pool"), f->pool->name);
	bufpack_text(field(fs, "function"), f->function->name);
	bufpack_int(field(fs, "priority"), f->priority);
	if (attempts_count(f)) {
		bufpack_uint(field(fs, "attempt"), attempts_count(f));
		attempts_pack(field(fs, "attempts"), f);
	}
	if (f->terms && f->terms->wishes.retry_of)
		bufpack_uint(field(fs, "retry_of"), f->terms->wishes.retry_of);
	if (f->head_us) {
		bufpack_seconds(field(fs, "started"),
			clock_unix_us(f->started_us ? f->started_us : f->head_us));
	}
	if (!is_final && f->head_us && pid)
		bufpack_int(field(fs, "worker_pid"), pid);
	if (e.kind != EXPLAIN_NOTHING)
		pack_waits_for(field(fs, "waits_for"), &e);
}

/* Of a job that waits, those before it are counted up to `ahead_max`. */
static void pack_info(struct bufpack *p, const struct future *f, uint64_t ahead_max)
{
	uint64_t now_us = clock_now_us();
	struct fields fs;

	fields_begin(&fs, p);
	bufpack_uint(field(&fs, "id"), f->id);
	bufpack_text(field(&fs, "state"), outcome_state_name((enum outcome_state)f->state));
	if (f->pool)
		pack_job(&fs, f, ahead_max, now_us);
	if (future_group(f))
		bufpack_text(field(&fs, "group"), future_group(f));
	if (f->extra)
		pack_texts(&fs, f->extra);
	bufpack_uint(field(&fs, "owner"), future_uid(f));
	bufpack_seconds(field(&fs, "submitted"), clock_unix_us(f->submitted_us));
	if (future_state_is_final(f->state))
		bufpack_seconds(field(&fs, "finished"), clock_unix_us(f->finished_us));
	reply_pack_timing(field(&fs, "timing"), f, now_us);
	pack_bytes(field(&fs, "bytes"), f);
	if (f->failure != FAILURE_NONE)
		failure_pack(field(&fs, "error"), f);
	fields_end(&fs);
}

void request_info(struct request *r)
{
	struct future *f = request_future(r);

	if (!f)
		return;
	pack_info(reply_begin(reply_to_request(r)), f, PROTO_AHEAD_MAX);
	reply_end();
}

/* ---- list ---- */

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

static struct future *list_prev(const struct list_filter *l, struct future *f)
{
	return l->all_owners ? TAILQ_PREV(f, futures, in_all) : filter_older(&l->futures, f);
}

/* The newest that may match: a page begins where the last one ended, if that future is still there. */
static struct future *list_begin(struct request *r, const struct list_filter *l)
{
	struct core *core = &r->server->core;
	struct account *account = account_of(r, l);
	struct future *f = core_find(core, l->before);

	if (!account && !l->all_owners)
		return NULL;
	if (f && (l->all_owners || (f->account == account && filter_goes_through(&l->futures, f))))
		return list_prev(l, f);
	return account ? filter_newest(&l->futures, core, account)
		       : TAILQ_LAST(&core->all, futures);
}

/* Finds the newest that match, up to the limit; returns how many. */
static size_t collect(struct request *r, const struct list_filter *l, const struct future **found)
{
	struct future *f = list_begin(r, l);
	size_t n = 0;

	for (; f && n < l->limit && f->id > l->after; f = list_prev(l, f))
		if (matches(f, l))
			found[n++] = f;
	return n;
}

/* How many of the found, newest first, fit in one message: the rest is asked for with `before`. */
static size_t what_fits(const struct future **found, size_t n)
{
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	struct bufpack p;
	size_t bytes = 0, fit;

	for (fit = 0; fit < n && bytes < LIST_BYTES; fit++) {
		buf_clear(&b);
		bufpack_init(&p, &b);
		pack_info(&p, found[fit], 0);
		bytes += buf_used(&b);
	}
	buf_deinit(&b);
	return fit;
}

void request_list(struct request *r)
{
	struct list_filter l = {
		.futures = FILTER_INIT, .before = PROTO_ID_END, .limit = PROTO_LIST_MAX};
	cleanup_free const struct future **found = NULL;
	struct bufpack *p;
	size_t n;

	if (!option_read(r, list_options, ARRAY_SIZE(list_options), &l))
		return;
	if (l.limit > PROTO_LIST_MAX)
		l.limit = PROTO_LIST_MAX;
	found = malloc((l.limit + 1) * sizeof(struct future *));
	if (!found) {
		request_fail_errno(r, -ENOMEM);
		return;
	}
	n = what_fits(found, collect(r, &l, found));
	p = reply_begin(reply_to_request(r));
	bufpack_array(p, n);
	while (n > 0)
		pack_info(p, found[--n], 0);
	reply_end();
}
