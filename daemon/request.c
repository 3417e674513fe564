/* The way of a request: envelope, method, parameters, handler, answer.
 *
 * The methods stand in methods.def; the table here is made from it. A handler reads its parameters
 * in order from a cursor into the message, whose bytes live until it returns: what is kept is
 * copied. It answers exactly once, now (reply.h) or later by a pending. A request that came as a
 * notification runs the same way, and its answer is dropped where it would be written.
 */
#include "daemon/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/closer.h"
#include "daemon/lobby.h"
#include "daemon/reply.h"

struct method {
	const char *name;
	size_t name_len;
	uint32_t fewest, most;
	void (*handle)(struct request *r);
};

static const struct method methods[] = {
#define X(name, fewest, most) {#name, sizeof(#name) - 1, fewest, most, request_##name},
#include "daemon/methods.def"
#undef X
};

static const struct method *find_method(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (text_same(name, len, methods[i].name, methods[i].name_len))
			return &methods[i];
	return NULL;
}

static void dispatch(struct request *r, const struct rpc *m)
{
	const struct method *method = find_method(m->method, m->method_len);

	if (!method) {
		if (r->wants_answer)
			request_fail(r, OUTCOME_E_UNKNOWN_METHOD, "unknown method \"%.*s\"",
				(int)(m->method_len < 64 ? m->method_len : 64), m->method);
		else
			r->server->n_notifications_ignored++;
		return;
	}
	if (r->n_params < method->fewest || r->n_params > method->most) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "%s takes %u to %u parameters, not %u",
			method->name, method->fewest, method->most, r->n_params);
		return;
	}
	r->server->n_requests += !r->visit;
	method->handle(r);
}

int request_run(struct request *r)
{
	struct rpc m;
	int bad;

	bad = rpc_parse(&m, r->bytes, r->len);
	if (!bad && m.type == RPC_ANSWER)
		r->server->n_notifications_ignored++;
	if (!bad && m.type != RPC_ANSWER) {
		r->wants_answer = m.type == RPC_REQUEST;
		r->msgid = m.msgid;
		r->params = m.params;
		r->n_params = m.n_params;
		dispatch(r, &m);
	}
	if (r->visit)
		lobby_settle(r);
	for (unsigned i = 0; i < r->n_fds; i++)
		closer_close(r->fds[i]);
	return bad;
}

int request_on_message(void *userdata, struct conn *c, const uint8_t *bytes,
	const struct scan *scan, const int *fds, unsigned n_fds, uint64_t now_us)
{
	struct request r = {
		.server = userdata,
		.conn = c,
		.n_fds = n_fds,
		.has_value_ext = scan->has_value_ext,
		.now_us = now_us,
		.bytes = bytes,
		.len = scan->pos,
	};

	if (n_fds)
		memcpy(r.fds, fds, n_fds * sizeof(*fds));
	return request_run(&r);
}

/* ---- refusing ---- */

void request_fail(struct request *r, enum outcome_code code, const char *format, ...)
{
	char message[PROTO_MESSAGE_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	/* Words of the client's own may stand in it, and not every byte is text. */
	for (char *c = message; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	reply_error(reply_to_request(r), outcome_code_name(code), message);
}

void request_refuse(struct request *r, const struct refusal *why)
{
	reply_refusal(reply_to_request(r), why);
}

void request_fail_errno(struct request *r, int error)
{
	if (error == -ENOMEM)
		request_fail(r, OUTCOME_E_FULL, "out of memory");
	else
		request_fail(r, OUTCOME_E_INTERNAL, "%s", strerror(-error));
}

void request_fail_charge(struct request *r, int error, const struct refusal *why)
{
	if (error > 0)
		request_refuse(r, why);
	else
		request_fail_errno(r, error);
}

/* ---- parameters ---- */

bool request_next(struct request *r)
{
	if (!r->n_params)
		return false;
	r->n_params--;
	return true;
}

static bool read_id(struct cursor *c, uint64_t *ret)
{
	uint64_t id;

	if (!cursor_uint(c, &id) || id >= PROTO_ID_END)
		return false;
	*ret = id;
	return true;
}

bool request_id(struct request *r, uint64_t *ret)
{
	if (request_next(r) && read_id(&r->params, ret))
		return true;
	request_fail(r, OUTCOME_E_BAD_REQUEST, "a future ID is an integer from 0 to 2^53-1");
	return false;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts and counts duplicates once. */
static size_t unique(uint64_t *ids, size_t n)
{
	size_t kept = 0;

	qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < n; i++)
		if (!kept || ids[i] != ids[kept - 1])
			ids[kept++] = ids[i];
	return kept;
}

bool request_ids(struct request *r, enum request_order order, uint64_t **ret, size_t *ret_n)
{
	if (request_next(r))
		return request_read_ids(r, order, ret, ret_n);
	request_fail(r, OUTCOME_E_BAD_REQUEST, "a list of future IDs is wanted");
	return false;
}

static bool are_ascending(const uint64_t *ids, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (ids[i] <= ids[i - 1])
			return false;
	return true;
}

bool request_read_ids(struct request *r, enum request_order order, uint64_t **ret, size_t *ret_n)
{
	cleanup_free uint64_t *ids = NULL;
	uint32_t n;

	if (!cursor_array(&r->params, &n)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "a list of future IDs is wanted");
		return false;
	}
	if (n > PROTO_IDS_MAX) {
		request_fail(
			r, OUTCOME_E_TOO_LARGE, "a list of %u IDs, at most %u", n, PROTO_IDS_MAX);
		return false;
	}
	ids = malloc(n ? n * sizeof(*ids) : 1);
	if (!ids) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!read_id(&r->params, &ids[i])) {
			request_fail(r, OUTCOME_E_BAD_REQUEST,
				"element %u of the list is no future ID (an integer from 0 to "
				"2^53-1)",
				i);
			return false;
		}
	*ret_n = order == REQUEST_AS_GIVEN || are_ascending(ids, n) ? n : unique(ids, n);
	*ret = take_ptr(ids);
	return true;
}

/* ---- who, and which pool ---- */

bool request_is_admin(struct request *r, const char *what)
{
	if (!r->conn->is_admin)
		request_fail(r, OUTCOME_E_NOT_ALLOWED, "%s is for root, uid %u and the admin group",
			what, (unsigned)geteuid());
	return r->conn->is_admin;
}

struct pool *request_pool(struct request *r, const char *name, size_t len)
{
	struct pool *p = core_find_pool(&r->server->core, name, len);

	if (!p)
		request_fail(r, OUTCOME_E_UNKNOWN_POOL, "no such pool: \"%.*s\"",
			(int)(len < 64 ? len : 64), name);
	return p;
}

/* ---- futures ---- */

struct future *request_find(struct request *r, uint64_t id, enum outcome_code *ret_code)
{
	struct core *core = &r->server->core;
	struct future *f = core_find(core, id);
	uint32_t uid;

	if (f && (f->account == r->conn->account || r->conn->is_admin))
		return f;
	*ret_code = OUTCOME_E_UNKNOWN_FUTURE;
	if (!f && core_find_expired(core, id, &uid) && (r->conn->is_admin || uid == r->conn->uid))
		*ret_code = OUTCOME_E_EXPIRED;
	return NULL;
}

struct future *request_find_before(struct request *r, uint64_t id, uint64_t end_id)
{
	enum outcome_code code = OUTCOME_E_UNKNOWN_FUTURE;
	struct future *f = id < end_id ? request_find(r, id, &code) : NULL;

	if (!f)
		request_fail(r, code,
			code == OUTCOME_E_EXPIRED ? "future %llu was kept its time and is forgotten"
						  : "no such future: %llu",
			(unsigned long long)id);
	return f;
}

struct future *request_find_or_fail(struct request *r, uint64_t id)
{
	return request_find_before(r, id, PROTO_ID_END);
}

struct future *request_future(struct request *r)
{
	uint64_t id;

	return request_id(r, &id) ? request_find_or_fail(r, id) : NULL;
}
