/* The charge comes first (core_submit), then the copy of the input: a job is handed over at the end
 * of the turn at the earliest, so one whose input could not be copied is withdrawn before anybody
 * saw it.
 */
#include "daemon/order.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/after.h"
#include "daemon/closer.h"
#include "daemon/content.h"
#include "daemon/extra.h"
#include "daemon/lobby.h"
#include "daemon/payload.h"
#include "daemon/run_values.h"
#include "daemon/stdio.h"

static bool is_allowed(const struct conn *c, const struct config_allow *allow)
{
	if (allow->everybody || c->uid == 0 || c->uid == c->conns->own_uid)
		return true;
	for (size_t i = 0; i < allow->n_uids; i++)
		if (allow->uids[i] == c->uid)
			return true;
	for (size_t i = 0; i < allow->n_gids; i++)
		if (conn_is_member(c, allow->gids[i]))
			return true;
	return false;
}

bool order_is_allowed(struct order *o)
{
	const struct pool *p = o->pool;
	struct request *r = o->r;

	if (is_allowed(r->conn, &workers_config(p)->allow))
		return true;
	request_fail(r, OUTCOME_E_NOT_ALLOWED, "pool %s does not take jobs of uid %u%s", p->name,
		r->conn->uid,
		workers_config(p)->handler == HANDLER_EXEC
			? "; commands belong to your own daemon: systemctl --user enable --now "
			  "poold.socket"
			: "");
	return false;
}

/* The ext 1s of a value, rewritten in place to count from 0 in order of first use; fds[] are those
 * of the message, from[] which of them the new index stands for. Returns how many. The bytes are
 * the connection's buffer, and each is in one value only. */
static unsigned renumber_fds(struct cursor value, unsigned from[PROTO_MESSAGE_FDS])
{
	unsigned n = 0, i;

	while (!cursor_at_end(&value)) {
		const uint8_t *index = cursor_fd_index(&value);

		if (!index) {
			if (!cursor_step(&value))
				break;
			continue;
		}
		for (i = 0; i < n && from[i] != *index; i++)
			;
		if (i == n)
			from[n++] = *index;
		*(uint8_t *)(uintptr_t)index = (uint8_t)i;
	}
	return n;
}

/* The fds of one value. Several values of a message may name the same, so those get duplicates. */
static int take_fds(const struct order *o, const unsigned *from, unsigned n, int *fds)
{
	struct request *r = o->r;

	for (unsigned i = 0; i < n; i++) {
		fds[i] = o->is_single ? take_fd(&r->fds[from[i]])
				      : fcntl(r->fds[from[i]], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0) {
			while (i > 0)
				fd_close(fds[--i]);
			return -errno;
		}
	}
	return 0;
}

/* The message may be handled once more, when there is room. */
static void put_back_fds(const struct order *o, const unsigned *from, unsigned n, const int *fds)
{
	struct request *r = o->r;

	for (unsigned i = 0; i < n; i++)
		if (o->is_single)
			r->fds[from[i]] = fds[i];
		else
			closer_close(fds[i]);
}

/* Of what was refused for one value, those behind it want so much more at least. */
static uint64_t more_wanted(const struct order *o, enum account_kind kind)
{
	switch (kind) {
	case ACCOUNT_JOBS:
	case ACCOUNT_FUTURES: return o->n_more;
	case ACCOUNT_BYTES:
		return o->n_more * sizeof(struct payload) +
		       (o->n_more ? cursor_len(&o->r->params) : 0);
	default: return 0;
	}
}

static void refuse(struct order *o, const struct refusal *why)
{
	if (o->r->visit)
		lobby_refused(o->r, why, more_wanted(o, why->kind));
	else
		request_refuse(o->r, why);
}

static void fail_submit(struct order *o, int e, const struct refusal *why)
{
	switch (e) {
	case CORE_E_QUOTA:
	case CORE_E_FULL: refuse(o, why); break;
	case CORE_E_DRAINING:
		if (o->r->server->core.is_closed)
			request_fail(o->r, OUTCOME_E_DRAINING,
				"the daemon is stopping and takes no new jobs");
		else
			request_fail(o->r, OUTCOME_E_DRAINING,
				"pool %s is drained and takes no new jobs", o->pool->name);
		break;
	case CORE_E_POOL_FAILED:
		request_fail(o->r, OUTCOME_E_INTERNAL, "pool %s failed: %s", o->pool->name,
			o->pool->reason ? o->pool->reason : "no reason is known");
		break;
	default: request_fail_errno(o->r, e);
	}
}

static void fail_key(struct order *o, const struct future *f)
{
	request_fail(o->r, OUTCOME_E_KEY_CONFLICT,
		"the key \"%.*s\" is that of future %llu, which has other content",
		(int)o->spec.key_len, o->spec.key, (unsigned long long)f->id);
}

void order_undo(struct order *o, struct future *f)
{
	if (o->is_known)
		return;
	if (o->pool)
		core_withdraw(&o->r->server->core, f);
	else
		core_release(&o->r->server->core, f);
}

static bool is_command(const struct order *o)
{
	return o->pool && workers_config(o->pool)->handler == HANDLER_EXEC;
}

/* Of the streams that go to the client's own files nothing will ever be known here. */
static int note_own_streams(struct future *f, const uint8_t *roles, unsigned n_fds)
{
	struct future_extra *e;
	unsigned all = 0;

	for (unsigned i = 0; i < n_fds; i++)
		all |= roles[i];
	f->is_input_lent = f->input && f->input->own;
	if (!(all & (STDIO_OUT | STDIO_ERR)))
		return 0;
	e = extra_of(f);
	if (!e)
		return -ENOMEM;
	e->is_own[STREAM_STDOUT] = all & STDIO_OUT;
	e->is_own[STREAM_STDERR] = all & STDIO_ERR;
	return 0;
}

/* What was charged: the value, and what else it keeps. Consumes the fds. 0, PAYLOAD_E_FD with
 * *ret_reason, -errno. */
static int fill_future(struct order *o, struct future *f, struct cursor value, const int *fds,
	unsigned n_fds, uint64_t charged_bytes, const char **ret_reason)
{
	struct payload **into = o->pool ? &f->input : &f->end.value;
	uint8_t roles[PROTO_MESSAGE_FDS] = {};
	struct moved in;
	int e;

	if (n_fds && is_command(o))
		stdio_find(value, roles);
	e = payload_new_command(value.p, cursor_len(&value), fds, n_fds, roles, into, ret_reason);
	if (e)
		return e;
	/* An fd that was not sealed yet when it was measured. */
	if (n_fds && payload_charge_bytes(*into) > charged_bytes) {
		*ret_reason = "it grew while it was passed";
		return PAYLOAD_E_FD;
	}
	in = payload_moved(*into);
	future_set_in(f, &in);
	f->is_each = o->spec.each;
	e = extra_size(&o->spec) ? extra_new(&o->spec, &f->annex->extra) : 0;
	return e || !n_fds ? e : note_own_streams(f, roles, n_fds);
}

/* Behind the conditions of the core. */
enum {
	ORDER_E_REFUSED = 100, /* the request has its answer */
};

void order_deinit(struct order *o)
{
	free(o->after);
}

static struct wishes wishes_of(const struct jobspec *spec)
{
	static_assert(RETRY_ON_LOST == (int)JOBSPEC_ON_LOST &&
			      RETRY_ON_FAILED == (int)JOBSPEC_ON_FAILED &&
			      RETRY_ON_TIMEOUT == (int)JOBSPEC_ON_TIMEOUT,
		"the core's bits are the wire's");
	return (struct wishes){
		.delay_us = spec->delay_us,
		.start_within_us = spec->start_within_us,
		.deadline_us = spec->deadline_us,
		.backoff_us = spec->backoff_us,
		.retries = (uint16_t)spec->retries,
		.retry_on = spec->retry_on,
	};
}

static struct submission submission_of(const struct order *o)
{
	const struct jobspec *spec = &o->spec;
	const struct request *r = o->r;

	return (struct submission){
		.account = r->conn->account,
		.pool = o->pool,
		.function = o->function,
		.is_patient = lobby_is_patient(r),
		.priority = spec->priority,
		.timeout_us = spec->timeout_us,
		.grace_us = spec->grace_us,
		.ttl_us = spec->set & JOBSPEC_BIT(TTL) ? spec->ttl_us : r->server->config->ttl_us,
		.extra_bytes = extra_size(spec),
		.wishes = wishes_of(spec),
		.tags = {.group = spec->group,
			.group_len = spec->group_len,
			.key = spec->key,
			.key_len = spec->key_len},
	};
}

/* The options' are the same for all futures of the order. */
static bool find_after(struct order *o)
{
	if (!o->has_after) {
		o->end_id = o->r->server->core.next_id;
		o->has_after = !(o->spec.set & JOBSPEC_WAITS) ||
			       after_find(o->r, &o->spec, &o->after, &o->n_shared);
	}
	if (!o->has_after)
		return false;
	o->n_after = o->n_shared;
	return !o->value.n_ids ||
	       after_add_inputs(o->r, &o->value, o->end_id, &o->after, &o->n_after);
}

/* 0, ORDER_E_REFUSED, a CORE_E_ or -errno. */
static int charge_future(struct order *o, const struct cursor *value, const int *fds,
	unsigned n_fds, uint64_t *ret_input_bytes, struct future **ret, struct refusal *ret_why)
{
	struct core *core = &o->r->server->core;
	struct submission s = submission_of(o);
	int e;

	e = payload_measure(cursor_len(value), fds, n_fds, &s.input_bytes, &s.input_fds);
	if (e == 0 && s.tags.key)
		e = content_of(core, o->function, &o->spec, value, fds, n_fds, &s.tags.content);
	if (e == 0 && s.tags.key)
		e = core_find_known(core, &s, ret);
	if (e == 0 && !find_after(o))
		e = ORDER_E_REFUSED;
	if (e)
		return e;
	s.wishes.after = o->after;
	s.wishes.n_after = o->n_after;
	*ret_input_bytes = s.input_bytes;
	return o->pool ? core_submit(core, &s, o->r->now_us, ret, ret_why)
		       : core_put(core, &s, o->r->now_us, ret, ret_why);
}

/* As far as one can know before all of its inputs are there. */
static bool has_room(struct order *o, const struct future *f)
{
	struct run_values v = run_values_of(f);
	uint64_t value, max;
	const char *limit;

	if (!run_values_exceed(&v, &limit, &value, &max))
		return true;
	request_fail(o->r, OUTCOME_E_TOO_LARGE, "the input brings %llu %s, at most %llu",
		(unsigned long long)value, limit, (unsigned long long)max);
	return false;
}

struct future *order_make(struct order *o)
{
	struct request *r = o->r;
	struct cursor value = o->value.value;
	unsigned from[PROTO_MESSAGE_FDS], n_fds = o->value.has_fds ? renumber_fds(value, from) : 0;
	const char *reason;
	struct refusal why;
	struct future *f;
	uint64_t input_bytes;
	int fds[PROTO_MESSAGE_FDS], e;

	e = take_fds(o, from, n_fds, fds);
	if (e < 0) {
		request_fail_errno(r, e);
		return NULL;
	}
	e = charge_future(o, &value, fds, n_fds, &input_bytes, &f, &why);
	if (e) {
		put_back_fds(o, from, n_fds, fds);
		o->is_known = e == CORE_E_KNOWN;
		if (o->is_known)
			return f;
		if (e == CORE_E_KEY_CONFLICT)
			fail_key(o, f);
		else if (e != ORDER_E_REFUSED)
			fail_submit(o, e, &why);
		return NULL;
	}
	e = fill_future(o, f, value, fds, n_fds, input_bytes, &reason);
	if (e == 0 && (!o->value.n_ids || has_room(o, f)))
		return f;
	order_undo(o, f);
	if (e == 0)
		return NULL;
	if (e == PAYLOAD_E_FD)
		request_fail(r, OUTCOME_E_BAD_FD, "a passed fd is refused: %s", reason);
	else
		request_fail_errno(r, e);
	return NULL;
}

/* What it was submitted with; a delay, a key and a connection were for that once. */
static struct jobspec spec_of(const struct future *f)
{
	struct jobspec spec = {.set = 0};

	if (future_extra(f) && future_extra(f)->label) {
		spec.set |= JOBSPEC_BIT(LABEL);
		spec.label = future_extra(f)->label;
		spec.label_len = strlen(spec.label);
	}
	if (future_extra(f) && future_extra(f)->trace) {
		spec.set |= JOBSPEC_BIT(TRACE);
		spec.trace = future_extra(f)->trace;
		spec.trace_len = strlen(spec.trace);
	}
	return spec;
}

static struct submission again_of(const struct order *o, const struct future *f)
{
	struct submission s = {
		.account = f->account,
		.pool = o->pool,
		.function = o->function,
		.input_bytes = payload_charge_bytes(f->input),
		.input_fds = payload_charge_fds(f->input),
		.extra_bytes = (uint32_t)extra_size(&o->spec),
		.priority = f->priority,
		.timeout_us = f->timeout_us,
		.grace_us = f->grace_us,
		.ttl_us = f->ttl_us,
	};

	if (future_terms(f))
		s.wishes = future_terms(f)->wishes;
	s.wishes.after = o->after;
	s.wishes.n_after = o->n_after;
	s.wishes.delay_us = 0;
	s.wishes.retry_of = f->id;
	if (future_tags(f) && future_tags(f)->group.name) {
		s.tags.group = tag_text(&future_tags(f)->group);
		s.tags.group_len = strlen(s.tags.group);
	}
	return s;
}

struct future *order_again(struct order *o, const struct future *f)
{
	struct core *core = &o->r->server->core;
	struct future *again;
	struct moved in;
	struct submission s;
	struct refusal why;
	int e;

	o->spec = spec_of(f);
	if (!after_again(o->r, f, &o->after, &o->n_after))
		return NULL;
	s = again_of(o, f);
	e = core_submit(core, &s, o->r->now_us, &again, &why);
	if (e) {
		fail_submit(o, e, &why);
		return NULL;
	}
	e = payload_copy(f->input, &again->input);
	if (e == 0)
		e = extra_new(&o->spec, &again->annex->extra);
	if (e == 0) {
		again->is_each = f->is_each;
		in = payload_moved(again->input);
		future_set_in(again, &in);
		return again;
	}
	order_undo(o, again);
	request_fail_errno(o->r, e);
	return NULL;
}
