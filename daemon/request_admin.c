/* What operators ask: stats, pools, workers, functions. */
#include <config.h>

#include "daemon/reply.h"
#include "daemon/clock.h"
#include "daemon/cost_pack.h"
#include "daemon/option.h"
#include "proto/jobspec.h"

/* ---- which pools ---- */

static bool read_pool(struct request *r, const char *key, void *into)
{
	struct text_view name;

	if (!option_text(r, key, &name))
		return false;
	*(struct pool **)into = request_pool(r, name.text, name.len);
	return *(struct pool **)into;
}

/* *ret: the pool that the option names, or NULL for all. False: it was refused. */
static bool read_pool_option(struct request *r, struct pool **ret)
{
	static const struct option options[] = {{"pool", read_pool, 0}};

	*ret = NULL;
	return option_read(r, options, ARRAY_SIZE(options), ret);
}

/* The pools that were asked for: one, or all. */
static struct pool *first_pool(struct request *r, struct pool *only)
{
	return only ? only : TAILQ_FIRST(&r->server->core.pools);
}

static struct pool *next_pool(struct pool *p, struct pool *only)
{
	return only ? NULL : TAILQ_NEXT(p, in_core);
}

/* An answer that is a list of `count(pool)` maps for each pool, packed by `pack`. */
static void answer_per_pool(struct request *r, size_t (*count)(const struct pool *),
	void (*pack)(struct request *, struct bufpack *, struct pool *))
{
	struct pool *only, *p;
	struct bufpack *out;
	size_t n = 0;

	if (!read_pool_option(r, &only))
		return;
	for (p = first_pool(r, only); p; p = next_pool(p, only))
		n += count(p);
	out = reply_begin(reply_to_request(r));
	bufpack_array(out, n);
	for (p = first_pool(r, only); p; p = next_pool(p, only))
		pack(r, out, p);
	reply_end();
}

/* ---- pools, workers, functions ---- */

static const char *pool_state_name(const struct pool *p)
{
	static const char *const names[] = {
		[POOL_STARTING] = "starting",
		[POOL_READY] = "ready",
		[POOL_FAILED] = "failed",
	};

	if (p->state != POOL_READY)
		return names[p->state];
	if (pool_is_degraded(p))
		return "degraded";
	if (p->is_draining)
		return "draining";
	return p->is_paused ? "paused" : "ready";
}

static unsigned busy_slots(const struct pool *p)
{
	return p->n_by_state[SLOT_BUSY] + p->n_by_state[SLOT_RINGING];
}

static unsigned retiring_slots(const struct pool *p)
{
	const unsigned *n = p->n_by_fate[FATE_RETIRES];

	return n[SLOT_STARTING] + n[SLOT_IDLE] + n[SLOT_BUSY];
}

static void pack_finished(struct bufpack *p, const struct pool *pool)
{
	bufpack_map(p, _FUTURE_STATE_MAX - FUTURE_DONE);
	for (int s = FUTURE_DONE; s < _FUTURE_STATE_MAX; s++)
		bufpack_field_uint(
			p, outcome_state_name((enum outcome_state)s), pool->n_finished[s]);
}

static void pack_pool_workers(struct bufpack *p, const struct pool *pool)
{
	bool has_spare = pool->config.sizing == SIZING_DYNAMIC;

	bufpack_map(p, has_spare ? 9 : 7);
	bufpack_field_uint(p, "wanted", pool->config.n_workers);
	bufpack_field_uint(p, "standby", pool->config.n_standby);
	if (has_spare) {
		bufpack_field_uint(p, "min_spare", pool->config.min_spare);
		bufpack_field_uint(p, "max_spare", pool->config.max_spare);
	}
	bufpack_field_uint(p, "starting", pool->n_by_state[SLOT_STARTING]);
	bufpack_field_uint(p, "idle", pool->n_by_state[SLOT_IDLE]);
	bufpack_field_uint(p, "busy", busy_slots(pool));
	bufpack_field_uint(p, "leaving", pool->n_by_state[SLOT_LEAVING]);
	bufpack_field_uint(p, "retiring", retiring_slots(pool));
}

static size_t count_one(const struct pool *pool)
{
	return 1;
}

static void pack_pool(struct request *r, struct bufpack *p, struct pool *pool)
{
	const struct config_pool *config = workers_config(pool);

	bool has_reason = pool->reason && (pool->state == POOL_FAILED || pool_is_degraded(pool));

	bufpack_map(p, has_reason ? 16 : 15);
	bufpack_field_text(p, "name", pool->name);
	bufpack_field_text(p, "handler", config->handler == HANDLER_EXEC ? "exec" : "module");
	bufpack_field_text(p, "state", pool_state_name(pool));
	if (has_reason)
		bufpack_field_text(p, "reason", pool->reason);
	bufpack_field_text(p, "sizing", pool_sizing_name(pool->config.sizing));
	bufpack_field_bool(p, "paused", pool->is_paused);
	bufpack_field_bool(p, "draining", pool->is_draining);
	bufpack_text(p, "workers");
	pack_pool_workers(p, pool);
	bufpack_field_uint(p, "queued", pool->queue.n);
	bufpack_field_uint(p, "handed_ahead", pool->n_ahead);
	bufpack_field_uint(p, "submitted", pool->n_submitted);
	bufpack_text(p, "finished");
	pack_finished(p, pool);
	bufpack_field_uint(p, "spawned", pool->n_spawned);
	bufpack_field_uint(p, "deaths", pool->n_deaths);
	bufpack_field_uint(p, "failed_starts", pool->n_failed_starts);
	bufpack_field_uint(p, "max_result", config->max_result_bytes);
}

void request_pools(struct request *r)
{
	answer_per_pool(r, count_one, pack_pool);
}

static size_t count_workers(const struct pool *pool)
{
	return pool_workers(pool);
}

/* Whose job it runs is for those who may see it. */
static void pack_worker(struct request *r, struct bufpack *p, const struct slot *s)
{
	static const char *const names[_SLOT_STATE_MAX] = {
		[SLOT_STARTING] = "starting",
		[SLOT_IDLE] = "idle",
		[SLOT_BUSY] = "busy",
		[SLOT_RINGING] = "ringing",
		[SLOT_LEAVING] = "leaving",
	};
	const struct future *f = slot_first(s);
	bool is_seen = f && (r->conn->is_admin || future_uid(f) == r->conn->uid);
	pid_t pid = workers_pid(s);

	bufpack_map(p, 7 + is_seen + (s->rss_kib > 0));
	bufpack_field_text(p, "pool", s->pool->name);
	bufpack_field_uint(p, "number", s->number);
	bufpack_field_text(p, "state", names[s->state]);
	bufpack_field_seconds(p, "since", clock_unix_us(s->since_us));
	bufpack_text(p, "pid");
	if (pid)
		bufpack_int(p, pid);
	else
		bufpack_nil(p);
	bufpack_field_uint(p, "answered", s->n_done);
	bufpack_field_bool(p, "retiring", s->fate != FATE_STAYS);
	if (s->rss_kib)
		bufpack_field_uint(p, "rss_kib", s->rss_kib);
	if (is_seen)
		bufpack_field_uint(p, "job", f->id);
}

static void pack_workers(struct request *r, struct bufpack *p, struct pool *pool)
{
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (pool->slots[i]->state != SLOT_EMPTY)
			pack_worker(r, p, pool->slots[i]);
}

void request_workers(struct request *r)
{
	answer_per_pool(r, count_workers, pack_workers);
}

static size_t count_functions(const struct pool *pool)
{
	return pool->n_functions;
}

static void pack_function(struct bufpack *p, struct function *fn)
{
	char address[PROTO_ADDRESS_BYTES + 1];

	snprintf(address, sizeof(address), "%s/%s", fn->pool->name, fn->name);
	bufpack_map(p, 9 + COST_PACK_FIELDS);
	bufpack_field_text(p, "name", address);
	bufpack_field_text(p, "doc", fn->doc);
	bufpack_text(p, "flags");
	bufpack_array(p, fn->is_pure);
	if (fn->is_pure)
		bufpack_text(p, "pure");
	bufpack_field_uint(p, "done", fn->n_done);
	bufpack_field_uint(p, "failed", fn->n_failed);
	bufpack_field_seconds(p, "mean_run", (function_mean_run_ns(fn) + 999) / 1000);
	bufpack_field_uint(p, "bytes_in", fn->cost.in.inline_bytes + fn->cost.in.memfd_bytes);
	bufpack_field_uint(p, "bytes_out", fn->cost.out.inline_bytes + fn->cost.out.memfd_bytes);
	cost_pack_fields(p, &fn->cost, fn->n_done + fn->n_failed);
	bufpack_text(p, "advice");
	bufpack_array(p, cost_count_advice(fn));
	cost_pack_advice(p, fn);
}

static void pack_functions(struct request *r, struct bufpack *p, struct pool *pool)
{
	for (struct function *fn = pool->functions; fn; fn = fn->next)
		if (!fn->is_gone)
			pack_function(p, fn);
}

void request_functions(struct request *r)
{
	answer_per_pool(r, count_functions, pack_functions);
}

/* ---- stats ---- */

static void pack_usage(struct bufpack *p, const struct amounts *used, const struct amounts *max)
{
	bufpack_map(p, _ACCOUNT_KIND_MAX);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++) {
		bufpack_text(p, account_kind_name((enum account_kind)k));
		bufpack_map(p, 2);
		bufpack_field_uint(p, "used", used->n[k]);
		bufpack_field_uint(p, "max", max->n[k]);
	}
}

struct totals {
	uint64_t queued;
	struct pool_sums sums;
};

static void sum_pool(struct totals *t, const struct pool *p)
{
	t->queued += p->queue.n;
	pool_add_sums(&t->sums, p);
}

/* Counters never go back, also when a pool is removed. */
static void sum_pools(struct totals *t, const struct core *c, const struct pool *only)
{
	if (only) {
		sum_pool(t, only);
		return;
	}
	t->sums = c->gone;
	for (const struct pool *p = core_first_pool(c); p; p = core_next_pool(p))
		sum_pool(t, p);
}

static void pack_counters(struct bufpack *p, struct server *s, const struct totals *t)
{
	bufpack_field_uint(p, "requests", s->n_requests);
	bufpack_field_uint(p, "ignored_notifications", s->n_notifications_ignored);
	bufpack_field_uint(p, "connections_accepted", s->conns.n_accepted);
	bufpack_field_uint(p, "connections_refused", s->conns.n_refused);
	bufpack_field_uint(p, "protocol_errors", s->conns.n_fatal);
	bufpack_field_uint(p, "submitted", t->sums.n_submitted);
	for (int i = FUTURE_DONE; i < _FUTURE_STATE_MAX; i++)
		bufpack_field_uint(
			p, outcome_state_name((enum outcome_state)i), t->sums.n_finished[i]);
}

static uint64_t jobs_of(const struct totals *t)
{
	uint64_t n = 0;

	for (int i = FUTURE_DONE; i < _FUTURE_STATE_MAX; i++)
		n += t->sums.n_finished[i];
	return n;
}

static size_t count_advice(const struct pool *p)
{
	size_t n = 0;

	for (struct function *fn = p->functions; fn; fn = fn->next)
		n += fn->is_gone ? 0 : cost_count_advice(fn);
	return n;
}

/* All that functions are advised of. */
static void pack_advice(struct request *r, struct bufpack *p, struct pool *only)
{
	struct pool *pool;
	size_t n = 0;

	for (pool = first_pool(r, only); pool; pool = next_pool(pool, only))
		n += count_advice(pool);
	bufpack_array(p, n);
	for (pool = first_pool(r, only); pool; pool = next_pool(pool, only))
		for (struct function *fn = pool->functions; fn; fn = fn->next)
			if (!fn->is_gone)
				cost_pack_advice(p, fn);
}

void request_stats(struct request *r)
{
	struct server *s = r->server;
	struct totals t = {0};
	struct bufpack *p;
	struct pool *only;

	if (!read_pool_option(r, &only))
		return;
	conns_look(&s->conns);
	sum_pools(&t, &s->core, only);
	p = reply_begin(reply_to_request(r));
	bufpack_map(p, 8);
	bufpack_text(p, "counters");
	bufpack_map(p, 6 + _FUTURE_STATE_MAX - FUTURE_DONE);
	pack_counters(p, s, &t);
	bufpack_text(p, "gauges");
	bufpack_map(p, 6);
	bufpack_field_uint(p, "unfinished", core_unfinished(&s->core));
	bufpack_field_uint(p, "queued", t.queued);
	bufpack_field_uint(p, "watches", s->watches.n);
	bufpack_field_uint(p, "watched", s->watches.n_watched);
	bufpack_field_uint(p, "watch_bytes", s->watches.bytes);
	bufpack_text(p, "work_share");
	cost_pack_share(p, &t.sums.cost.total);
	bufpack_text(p, "work");
	bufpack_map(p, COST_PACK_FIELDS);
	cost_pack_fields(p, &t.sums.cost, jobs_of(&t));
	bufpack_text(p, "advice");
	pack_advice(r, p, only);
	bufpack_text(p, "limits");
	pack_usage(p, account_used(r->conn->account), &s->core.accounts.limits.uid);
	bufpack_text(p, "total_limits");
	pack_usage(p, &s->core.accounts.used, &s->core.accounts.limits.all);
	bufpack_field_seconds(p, "started", clock_unix_us(s->started_us));
	bufpack_field_text(p, "version", PACKAGE_VERSION);
	reply_end();
}
