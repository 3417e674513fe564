/* The lobby: where requests wait until there is room for what they ask.
 *
 *	enter ──► refused ──► settle ──► waits ──► tried again ──► let in, refused for good
 *	  │                                │            └──► waits
 *	  └──► answered: it leaves         └──► its time is over
 *
 * Who is tried, and who has waited enough, is the core's to say (core/admission.h). A visit keeps
 * the message as it came, with its fds, charged to an account of its own; to try again is to handle
 * the message once more, so whatever has changed meanwhile counts. It is a pending of its
 * connection, and goes with it.
 */
#include "daemon/lobby.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/core/admission.h"
#include "daemon/reply.h"

/* So long they may take of one turn, and the last one longer. */
#define SHARE_US 5000

struct visit {
	struct pending pending;
	struct admission admission;
	bool is_waiting; /* the core knows of it */
	bool is_tried;	 /* right now: it is no pending meanwhile */
	bool is_refused; /* right now, for want of room */
	struct refusal why;
	uint64_t more;
	struct reply_to to;
	uint8_t *bytes; /* the message; NULL: not kept yet */
	size_t len;
	unsigned n_fds;
	int fds[PROTO_MESSAGE_FDS];
};

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len);

	return copy ? memcpy(copy, bytes, len) : NULL;
}

static void visit_end(struct visit *v)
{
	if (v->is_waiting)
		admission_leave(v->to.conn->conns->core, &v->admission);
	for (unsigned i = 0; i < v->n_fds; i++)
		closer_close(v->fds[i]);
	free(v->bytes);
	free(v);
}

static void visit_free(struct pending *p, bool is_closing)
{
	struct visit *v = container_of(p, struct visit, pending);

	if (!v->is_tried)
		visit_end(v);
}

const struct pending_ops visit_ops = {.free = visit_free};

/* ---- the handlers' side ---- */

/* What stands for fds in a message is rewritten while it is handled, so those that have some are
 * kept before. */
void lobby_enter(struct request *r, uint64_t within_us)
{
	struct visit *v;

	if (r->visit)
		return;
	v = calloc(1, sizeof(*v));
	if (!v)
		return;
	v->to = reply_to_request(r);
	v->len = r->len;
	v->admission.until_us = heap_after(r->now_us, within_us);
	if (r->n_fds)
		v->bytes = copy_of(r->bytes, r->len);
	if (r->n_fds && !v->bytes)
		visit_end(v);
	else
		r->visit = v;
}

void lobby_refused(struct request *r, const struct refusal *why, uint64_t more)
{
	struct visit *v = r->visit;

	v->is_refused = true;
	v->why = *why;
	v->more = more;
}

bool lobby_is_patient(const struct request *r)
{
	const struct visit *v = r->visit;

	return v && !(v->is_waiting && admission_is_first(&v->admission));
}

/* 0, an ACCOUNT_E_ with *ret_why, -errno. */
static int begin_to_wait(struct request *r, struct visit *v, struct refusal *ret_why)
{
	struct admission *a = &v->admission;
	int e;

	a->account = r->conn->account;
	a->parked_bytes = v->len;
	a->parked_fds = r->n_fds;
	e = admission_wait(&r->server->core, a, &v->why, v->more, ret_why);
	v->is_waiting = e == 0;
	if (e == 0 && !v->bytes) {
		v->bytes = copy_of(r->bytes, r->len);
		e = v->bytes ? 0 : -ENOMEM;
	}
	return e;
}

void lobby_settle(struct request *r)
{
	struct visit *v = take_ptr(r->visit);
	struct refusal why;
	int e = 0;

	if (!v->is_refused) {
		visit_end(v);
		return;
	}
	v->is_refused = false;
	if (v->is_waiting)
		admission_stay(&r->server->core, &v->admission, &v->why, v->more);
	else
		e = begin_to_wait(r, v, &why);
	if (e == 0)
		e = pending_add(&v->pending, r->conn, PENDING_VISIT, &why);
	if (e) {
		request_fail_charge(r, e, &why);
		visit_end(v);
		return;
	}
	memcpy(v->fds, r->fds, sizeof(v->fds));
	v->n_fds = r->n_fds;
	r->n_fds = 0;
}

/* ---- once in a turn ---- */

static void try_again(struct server *s, struct visit *v, uint64_t now_us)
{
	cleanup_free uint8_t *scratch = v->n_fds ? copy_of(v->bytes, v->len) : NULL;
	struct request r = {
		.server = s,
		.conn = v->to.conn,
		.n_fds = v->n_fds,
		.now_us = now_us,
		.bytes = scratch ? scratch : v->bytes,
		.len = v->len,
		.visit = v,
	};

	if (v->n_fds && !scratch) {
		reply_refusal(v->to, &v->why);
		pending_remove(&v->pending, false);
		return;
	}
	memcpy(r.fds, v->fds, sizeof(r.fds));
	v->n_fds = 0;
	v->is_tried = true;
	pending_remove(&v->pending, false);
	v->is_tried = false;
	(void)request_run(&r);
}

static void see_to(
	struct server *s, struct visit *v, enum admission_verdict verdict, uint64_t now_us)
{
	if (v->to.conn->state > CONN_ENDED) {
		pending_remove(&v->pending, true);
	} else if (verdict == ADMISSION_TRY) {
		try_again(s, v, now_us);
	} else {
		reply_refusal(v->to, &v->admission.why);
		pending_remove(&v->pending, false);
	}
}

bool lobby_turn(struct server *s, uint64_t *next_us)
{
	enum admission_verdict verdict;
	uint64_t begin_us, now_us;
	struct heap_node *node;
	struct admission *a;
	bool is_any = false;

	if (admissions_are_none(&s->core.admissions))
		return false;
	begin_us = now_us = clock_now_us();
	while (now_us < begin_us + SHARE_US && (a = admission_next(&s->core, now_us, &verdict))) {
		see_to(s, container_of(a, struct visit, admission), verdict, now_us);
		is_any = true;
		now_us = clock_now_us();
	}
	node = heap_first(&s->core.timers);
	if (node && node->key < *next_us)
		*next_us = node->key;
	return is_any;
}
