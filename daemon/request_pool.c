/* resize, pause, resume, drain: what operators do to pools; shutdown: to all of them.
 *
 * A drain that is waited for looks once a turn whether its pools are through. Also when somebody
 * resumed them meanwhile, or the daemon stops: then it answers with what is left. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/drain.h"
#include "daemon/log.h"
#include "daemon/option.h"
#include "daemon/reply.h"
#include "daemon/stop.h"
#include "proto/text.h"

#define WORKERS_MAX 4096u /* as the key `workers` */

/* ---- which pools ---- */

/* *ret: the pool that the next parameter names, or NULL for all (nil, or none). False: it was
 * refused. */
static bool read_which(struct request *r, struct pool **ret)
{
	const char *name;
	size_t len;

	*ret = NULL;
	if (!request_next(r) || cursor_nil(&r->params))
		return true;
	if (!cursor_text(&r->params, &name, &len)) {
		request_fail(
			r, OUTCOME_E_BAD_REQUEST, "the name of a pool is wanted, or nil for all");
		return false;
	}
	*ret = request_pool(r, name, len);
	return *ret;
}

static struct pool *first_of(struct core *c, struct pool *only)
{
	return only ? only : TAILQ_FIRST(&c->pools);
}

static struct pool *next_of(struct pool *p, const struct pool *only)
{
	return only ? NULL : TAILQ_NEXT(p, in_core);
}

/* ---- resize ---- */

struct resize_options {
	uint64_t workers, min_spare, max_spare; /* NOT_GIVEN: as it is */
};

#define NOT_GIVEN UINT64_MAX

static const struct option resize_options[] = {
	OPTION("workers", option_number, struct resize_options, workers),
	OPTION("min_spare", option_number, struct resize_options, min_spare),
	OPTION("max_spare", option_number, struct resize_options, max_spare),
};

/* NULL, or what is wrong. */
static const char *complete_size(const struct pool *p, struct resize_options *o)
{
	const struct pool_config *now = &p->config;

	if (now->sizing != SIZING_DYNAMIC &&
		(o->min_spare != NOT_GIVEN || o->max_spare != NOT_GIVEN))
		return "min_spare and max_spare are for pools with sizing = dynamic";
	if (o->workers == NOT_GIVEN)
		o->workers = now->n_workers;
	if (o->min_spare == NOT_GIVEN)
		o->min_spare = now->min_spare;
	if (o->max_spare == NOT_GIVEN)
		o->max_spare = now->max_spare;
	if (o->workers < 1 || o->workers > WORKERS_MAX)
		return "workers: a number from 1 to 4096 is wanted";
	if (now->sizing == SIZING_DYNAMIC && o->min_spare > o->workers)
		return "min_spare is more than workers";
	if (o->max_spare < o->min_spare || o->max_spare > WORKERS_MAX)
		return "max_spare: a number from min_spare to 4096 is wanted";
	return NULL;
}

void request_resize(struct request *r)
{
	struct resize_options o = {NOT_GIVEN, NOT_GIVEN, NOT_GIVEN};
	const char *wrong;
	struct pool *p;

	if (!request_is_admin(r, "resize") || !read_which(r, &p))
		return;
	if (!p) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "resize wants the name of a pool");
		return;
	}
	if (!option_read(r, resize_options, ARRAY_SIZE(resize_options), &o))
		return;
	wrong = complete_size(p, &o);
	if (wrong) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "option %s", wrong);
		return;
	}
	core_pool_resize(p, (unsigned)o.workers, (unsigned)o.min_spare, (unsigned)o.max_spare);
	reply_true(reply_to_request(r));
}

/* ---- pause, resume ---- */

void request_pause(struct request *r)
{
	struct pool *only, *p;

	if (!request_is_admin(r, "pause") || !read_which(r, &only) ||
		!option_read(r, NULL, 0, NULL))
		return;
	for (p = first_of(&r->server->core, only); p; p = next_of(p, only))
		core_pool_pause(p, r->now_us);
	reply_true(reply_to_request(r));
}

void request_resume(struct request *r)
{
	struct pool *only, *p;

	if (!request_is_admin(r, "resume") || !read_which(r, &only) ||
		!option_read(r, NULL, 0, NULL))
		return;
	for (p = first_of(&r->server->core, only); p; p = next_of(p, only))
		core_pool_resume(p);
	reply_true(reply_to_request(r));
}

/* ---- drain ---- */

struct drain {
	struct pending pending;
	struct heap_node timer;
	struct server *server;
	struct pool *only;
	struct reply_to to;
	TAILQ_ENTRY(drain) in_server;
};

static void answer(struct server *s, struct pool *only, struct reply_to to)
{
	struct bufpack *out;
	struct pool *p;
	size_t n = 0;

	for (p = first_of(&s->core, only); p; p = next_of(p, only))
		n++;
	out = reply_begin(to);
	bufpack_array(out, n);
	for (p = first_of(&s->core, only); p; p = next_of(p, only)) {
		bufpack_map(out, 5);
		bufpack_field_text(out, "name", p->name);
		bufpack_field_bool(out, "draining", p->is_draining);
		bufpack_field_uint(out, "jobs", p->n_unfinished);
		bufpack_field_uint(out, "running", p->n_lines);
		bufpack_field_uint(out, "workers", pool_workers(p));
	}
	reply_end();
}

static bool is_through(const struct drain *d)
{
	struct core *c = &d->server->core;

	for (struct pool *p = first_of(c, d->only); p; p = next_of(p, d->only))
		if (p->is_draining && p->state != POOL_REMOVED &&
			(p->n_unfinished || pool_workers(p)) && !c->is_draining)
			return false;
	return true;
}

void drains_turn(struct server *s)
{
	struct drain *d;

	TAILQ_FOREACH (d, &s->drains, in_server)
		if (is_through(d))
			pending_ready(&d->pending);
}

static void drain_write(struct pending *p)
{
	struct drain *d = container_of(p, struct drain, pending);

	answer(d->server, d->only, d->to);
}

static void drain_on_time(struct pending *p, uint64_t now_us)
{
	pending_ready(p);
}

static void drain_free(struct pending *p, bool is_closing)
{
	struct drain *d = container_of(p, struct drain, pending);

	TAILQ_REMOVE(&d->server->drains, d, in_server);
	if (d->only)
		core_let_pool_go(d->only);
	free(d);
}

const struct pending_ops drain_ops = {
	drain_write, drain_on_time, drain_free, .timer_at = PENDING_TIMER_AT(struct drain)};

struct drain_options {
	bool wait;
	uint64_t timeout_us;
};

static const struct option drain_options[] = {
	OPTION("wait", option_bool, struct drain_options, wait),
	OPTION("timeout", option_time, struct drain_options, timeout_us),
};

static void drain_wait(struct request *r, struct pool *only, uint64_t timeout_us)
{
	struct drain *d = calloc(1, sizeof(*d));
	struct refusal why;
	int e;

	e = d ? pending_add(&d->pending, r->conn, PENDING_DRAIN, &why) : -ENOMEM;
	if (e) {
		free(d);
		request_fail_charge(r, e, &why);
		return;
	}
	d->server = r->server;
	d->only = only;
	if (only)
		core_hold_pool(only);
	d->to = reply_to_request(r);
	TAILQ_INSERT_TAIL(&r->server->drains, d, in_server);
	pending_set_time(&d->pending, heap_after(r->now_us, timeout_us));
}

void request_drain(struct request *r)
{
	struct drain_options o = {.timeout_us = HEAP_NEVER};
	struct pool *only, *p;

	if (!request_is_admin(r, "drain") || !read_which(r, &only) ||
		!option_read(r, drain_options, ARRAY_SIZE(drain_options), &o))
		return;
	for (p = first_of(&r->server->core, only); p; p = next_of(p, only))
		core_pool_drain(p);
	if (o.wait)
		drain_wait(r, only, o.timeout_us);
	else
		answer(r->server, only, reply_to_request(r));
}

/* ---- shutdown ---- */

struct shutdown_options {
	enum stop_mode mode;
	uint64_t timeout_us;
};

static bool option_mode(struct request *r, const char *key, void *into)
{
	struct text_view word;

	if (!option_text(r, key, &word))
		return false;
	for (int m = 0; m < _STOP_MODE_MAX; m++)
		if (text_equal(word.text, word.len, stop_mode_name((enum stop_mode)m))) {
			*(enum stop_mode *)into = (enum stop_mode)m;
			return true;
		}
	return option_refuse(r, key, "finish, term or kill");
}

static const struct option shutdown_options[] = {
	OPTION("mode", option_mode, struct shutdown_options, mode),
	OPTION("timeout", option_time, struct shutdown_options, timeout_us),
};

void request_shutdown(struct request *r)
{
	struct shutdown_options o = {.mode = STOP_TERM, .timeout_us = HEAP_NEVER};

	if (!request_is_admin(r, "shutdown"))
		return;
	if (request_next(r) && !cursor_nil(&r->params)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"shutdown stops the whole daemon: its first parameter is nil");
		return;
	}
	if (!option_read(r, shutdown_options, ARRAY_SIZE(shutdown_options), &o))
		return;
	if (o.mode == STOP_KILL && o.timeout_us != HEAP_NEVER) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"option timeout: mode kill gives running jobs no time");
		return;
	}
	log_notice("uid %u asks for a shutdown, mode %s", (unsigned)r->conn->uid,
		stop_mode_name(o.mode));
	reply_true(reply_to_request(r));
	stop_begin(r->server, o.mode, o.timeout_us, r->now_us);
}
