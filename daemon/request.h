/* One request of a client: from the message to its answer. */
#pragma once

#include "daemon/conn.h"
#include "daemon/core/core.h"
#include "daemon/server.h"
#include "proto/cursor.h"
#include "proto/limits.h"
#include "proto/outcome.h"
#include "proto/rpc.h"

struct visit;

struct request {
	struct server *server;
	struct conn *conn;
	bool wants_answer; /* false: it came as a notification */
	uint32_t msgid;
	struct cursor params;
	uint32_t n_params; /* left */
	bool has_value_ext;
	unsigned n_fds;
	int fds[PROTO_MESSAGE_FDS]; /* closed after the handler; it takes what it keeps */
	uint64_t now_us;
	const uint8_t *bytes; /* the whole message */
	size_t len;
	struct visit *visit; /* it may wait for room: lobby.h. NULL: it may not */
};

/* For conn_ops: userdata is the server. */
int request_on_message(void *userdata, struct conn *c, const uint8_t *bytes,
	const struct scan *scan, const int *fds, unsigned n_fds, uint64_t now_us);

/* The same once more, with all but the parameters filled in. Closes the fds that nobody took.
 * Positive: the bytes are no MessagePack-RPC. */
int request_run(struct request *r);

/* Handlers: exactly one answer each, now or by a pending. */
#define X(name, fewest, most) void request_##name(struct request *r);
#include "daemon/methods.def"
#undef X

/* ---- for handlers ---- */

/* Refuses with a code and a sentence that names the value and the limit. */
void request_fail(struct request *r, enum outcome_code code, const char *format, ...)
	printf_like(3, 4);
/* quota or full, with {limit, value, max, retry_after}. */
void request_refuse(struct request *r, const struct refusal *why);
/* A negative errno: internal, or full for want of memory. */
void request_fail_errno(struct request *r, int error);

/* The next parameter; false if there is none: an optional one. */
bool request_next(struct request *r);
/* Reads one ID; false: it was refused. */
must_check bool request_id(struct request *r, uint64_t *ret);
enum request_order {
	REQUEST_SORTED,	  /* and each once */
	REQUEST_AS_GIVEN, /* perhaps more than once */
};

/* Reads a list of IDs. False: it was refused. *ret is the caller's (may be NULL if *ret_n is 0). */
must_check bool request_ids(
	struct request *r, enum request_order order, uint64_t **ret, size_t *ret_n);
/* The same of a list that stands at r->params, as the value of an option. */
must_check bool request_read_ids(
	struct request *r, enum request_order order, uint64_t **ret, size_t *ret_n);
/* For what administrators may do; `what` is for the message. False: it was refused. */
must_check bool request_is_admin(struct request *r, const char *what);
/* The pool of this name. NULL: it was refused. */
struct pool *request_pool(struct request *r, const char *name, size_t len);
/* What account or memory refused: an ACCOUNT_E_ with its reason, or a negative errno. */
void request_fail_charge(struct request *r, int error, const struct refusal *why);

/* A future that this client may see, or why not: OUTCOME_E_UNKNOWN_FUTURE or _EXPIRED. */
struct future *request_find(struct request *r, uint64_t id, enum outcome_code *ret_code);
/* The same with an error answer; NULL: it was refused. */
struct future *request_find_or_fail(struct request *r, uint64_t id);
/* The same, of an ID below end_id: others are unknown. */
struct future *request_find_before(struct request *r, uint64_t id, uint64_t end_id);
/* The same of an ID that is the next parameter. */
struct future *request_future(struct request *r);
