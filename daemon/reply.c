/* Answers are packed into one buffer of the process, then moved to the outbox of the connection:
 * nothing is allocated for a small one. A value may lie in memfds; then what was packed before and
 * after it goes around the pieces, and the memfds are read when the socket has room.
 *
 * How a client takes a value: one that said fds: true gets the encoding as it is and the fds beside
 * it; any other gets each ext 1 as bin 32 with the bytes inline, as long as the message stays
 * within message_bytes.
 */
#include "daemon/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cost_pack.h"
#include "daemon/failure.h"
#include "daemon/payload.h"
#include "daemon/request.h"
#include "proto/outcome.h"
#include "proto/rpc.h"

/* What surrounds a value: envelope, timing, error text. */
#define AROUND_BYTES 4096u
/* A memfd up to this is copied into the answer. */
#define SMALL_BYTES   4096u
#define RETRY_AFTER_S 1

static struct {
	struct buf buf;
	struct bufpack pack;
	struct reply_to to;
	struct future *from; /* its value is to be put in at value_at */
	size_t value_at;
} now = {.buf = {.max = 2 * PROTO_MESSAGE_BYTES}};

struct reply_to reply_to_request(const struct request *r)
{
	return (struct reply_to){r->conn, r->wants_answer, r->msgid};
}

static void begin(struct reply_to to)
{
	buf_clear(&now.buf);
	bufpack_init(&now.pack, &now.buf);
	now.to = to;
	now.from = NULL;
}

struct bufpack *reply_begin(struct reply_to to)
{
	begin(to);
	rpc_pack_answer(&now.pack, to.msgid);
	bufpack_nil(&now.pack);
	return &now.pack;
}

struct bufpack *reply_begin_notification(struct conn *c, const char *method)
{
	begin((struct reply_to){.conn = c, .is_wanted = true});
	rpc_pack_notification(&now.pack, method);
	return &now.pack;
}

void reply_value(struct future *f)
{
	const struct payload *p = future_value(f);

	if (!p)
		bufpack_nil(&now.pack);
	else if (!payload_is_spilled(p) && (!p->n_fds || now.to.conn->wants_fds))
		bufpack_raw(&now.pack, p->bytes, p->len);
	if (!p || (!payload_is_spilled(p) && !p->n_fds))
		return;
	now.from = f;
	now.value_at = buf_used(&now.buf);
}

/* ---- values in pieces ---- */

/* A memfd as bin 32. A small one is copied: a value may name it thousands of times. */
static int put_fd(struct outbox *o, struct future *f, unsigned i)
{
	const struct payload *p = future_value(f);
	uint8_t head[5 + SMALL_BYTES] = {0xc6};
	uint32_t size = __builtin_bswap32((uint32_t)payload_memfds(p)->size[i]);
	size_t n = payload_memfds(p)->size[i] <= SMALL_BYTES ? (size_t)payload_memfds(p)->size[i]
							     : 0;
	int r;

	memcpy(head + 1, &size, sizeof(size));
	if (pread(payload_memfds(p)->fds[i], head + 5, n, 0) != (ssize_t)n)
		return -EIO;
	r = outbox_bytes(o, head, 5 + n);
	return r || n ? r
		      : outbox_file(o, f, payload_memfds(p)->fds[i], payload_memfds(p)->size[i]);
}

/* One element of the encoding: an ext 1 becomes bin 32 with the bytes of its memfd. */
static int put_element(struct outbox *o, struct future *f, struct cursor *c)
{
	const uint8_t *from = c->p;
	const uint8_t *index = cursor_fd_index(c);

	if (index)
		return put_fd(o, f, *index);
	if (!cursor_step(c))
		return -EINVAL;
	return outbox_bytes(o, from, (size_t)(c->p - from));
}

static int put_expanded(struct outbox *o, struct future *f, const uint8_t *encoding)
{
	struct cursor c = cursor_of(encoding, future_value(f)->len);
	int r = 0;

	while (r == 0 && !cursor_at_end(&c))
		r = put_element(o, f, &c);
	return r;
}

static int put_value(struct outbox *o, struct future *f, bool wants_fds)
{
	const struct payload *p = future_value(f);
	cleanup_free uint8_t *loaded = NULL;
	const uint8_t *encoding;

	if (payload_is_spilled(p) && (wants_fds || !p->n_fds))
		return outbox_file(o, f, payload_spill_fd(p), p->len);
	if (wants_fds)
		return 0; /* packed in place already */
	encoding = payload_encoding(p, &loaded);
	return encoding ? put_expanded(o, f, encoding) : -ENOMEM;
}

uint64_t reply_too_large(const struct conn *c, const struct payload *p)
{
	if (!p || !p->n_fds || c->wants_fds)
		return 0;
	return payload_expanded_bytes(p) > PROTO_MESSAGE_BYTES - AROUND_BYTES
		       ? payload_expanded_bytes(p)
		       : 0;
}

/* ---- sending ---- */

/* With a value between what was packed before and behind it. */
static __attribute__((noinline)) int send_around_value(struct conn *c)
{
	const uint8_t *bytes = buf_head(&now.buf);
	size_t n = buf_used(&now.buf), first = now.value_at;
	int r;

	r = outbox_begin(&c->out, c->wants_fds ? now.from : NULL, n);
	if (r == 0)
		r = outbox_bytes(&c->out, bytes, first);
	if (r == 0)
		r = put_value(&c->out, now.from, c->wants_fds);
	if (r == 0 && n > first)
		r = outbox_bytes(&c->out, bytes + first, n - first);
	if (r)
		outbox_undo(&c->out);
	return r;
}

static int send_out(struct conn *c)
{
	return now.from ? send_around_value(c)
			: outbox_bytes(&c->out, buf_head(&now.buf), buf_used(&now.buf));
}

void reply_end(void)
{
	struct conn *c = now.to.conn;
	int r;

	if (!now.to.is_wanted || c->state > CONN_ENDED)
		return;
	r = bufpack_error(&now.pack);
	if (r == 0)
		r = send_out(c);
	now.from = NULL;
	if (r == 0)
		conn_touch(c);
	else if (r == OUTBOX_E_QUOTA)
		conn_fatal(
			c, "quota", "your answers that wait to be read exceed your quota of bytes");
	else
		conn_fatal(c, "internal", "an answer could not be written: %s", strerror(-r));
}

void reply_true(struct reply_to to)
{
	bufpack_bool(reply_begin(to), true);
	reply_end();
}

/* ---- errors ---- */

/* [1, msgid, [code, message, … the details and the nil result are the caller's. */
struct bufpack *reply_begin_error(struct reply_to to, const char *code, const char *message)
{
	begin(to);
	rpc_pack_answer(&now.pack, to.msgid);
	bufpack_array(&now.pack, 3);
	bufpack_text(&now.pack, code);
	bufpack_text(&now.pack, message);
	return &now.pack;
}

void reply_end_error(void)
{
	bufpack_nil(&now.pack);
	reply_end();
}

void reply_error(struct reply_to to, const char *code, const char *message)
{
	bufpack_map(reply_begin_error(to, code, message), 0);
	reply_end_error();
}

void reply_refusal(struct reply_to to, const struct refusal *why)
{
	const char *kind = account_kind_name(why->kind);
	char message[160];
	struct bufpack *p;

	snprintf(message, sizeof(message), "limit of %s%s: %llu, at most %llu", kind,
		why->of_uid ? " of your uid" : " in all", (unsigned long long)why->value,
		(unsigned long long)why->max);
	p = reply_begin_error(to, why->of_uid ? "quota" : "full", message);
	bufpack_map(p, 4);
	outcome_pack_limit(p, kind, why->value, why->max);
	bufpack_text(p, "retry_after");
	bufpack_uint(p, RETRY_AFTER_S);
	reply_end_error();
}

void reply_too_large_error(struct reply_to to, uint64_t size)
{
	char message[160];
	struct bufpack *p;

	snprintf(message, sizeof(message),
		"the result takes %llu bytes inline, a message has at most %u: use `read`, or a "
		"client with fds",
		(unsigned long long)size, PROTO_MESSAGE_BYTES);
	p = reply_begin_error(to, "too_large", message);
	bufpack_map(p, 3);
	outcome_pack_limit(p, "message_bytes", size, PROTO_MESSAGE_BYTES);
	reply_end_error();
}

/* ---- futures ---- */

void reply_failure(struct future *f)
{
	failure_pack_head(&now.pack, f);
	if (future_value(f) && !reply_too_large(now.to.conn, future_value(f)))
		reply_value(f);
	else
		failure_pack_details(&now.pack, f);
}

void reply_pack_timing(struct bufpack *p, const struct future *f, uint64_t now_us)
{
	struct future_timing t = future_timing(f, now_us);

	cost_pack_timing(p, &t);
}

void reply_outcome(struct reply_to to, struct future *f)
{
	uint64_t size;

	if (f->state != FUTURE_DONE) {
		begin(to);
		rpc_pack_answer(&now.pack, to.msgid);
		reply_failure(f);
		bufpack_nil(&now.pack);
		reply_end();
		return;
	}
	size = reply_too_large(to.conn, future_value(f));
	if (size) {
		reply_too_large_error(to, size);
		return;
	}
	reply_begin(to);
	reply_value(f);
	reply_end();
}

#define FINAL_BYTES (2 + ENCODE_KEY_BYTES("final") + 1 + ENCODE_UINT_BYTES)

/* What follows is the state. */
static struct bufpack *begin_final(struct conn *c, uint64_t id)
{
	uint8_t *at;

	begin((struct reply_to){.conn = c, .is_wanted = true});
	at = bufpack_open(&now.pack, FINAL_BYTES);
	if (at) {
		at = encode_key(rpc_encode_head(at, 3, RPC_NOTIFICATION), "final");
		bufpack_close(&now.pack, encode_uint(encode_array(at, 5), id));
	}
	return &now.pack;
}

/* `final` [ID, state, value or nil, error or nil, timing]. A value that this client cannot get
 * inline is left out, with too_large as its error: it asks with `read`. */
void reply_final(struct conn *c, struct future *f)
{
	struct bufpack *p = begin_final(c, f->id);

	if (f->state != FUTURE_DONE) {
		bufpack_text(p, outcome_state_name((enum outcome_state)f->state));
		bufpack_nil(p);
		reply_failure(f);
	} else if (reply_too_large(c, future_value(f))) {
		bufpack_text(p, "done");
		bufpack_nil(p);
		bufpack_array(p, 3);
		bufpack_text(p, "too_large");
		bufpack_text(p, "the result does not fit in a message: use `read`");
		bufpack_map(p, 0);
	} else {
		bufpack_text(p, "done");
		reply_value(f);
		bufpack_nil(p);
	}
	reply_pack_timing(p, f, future_finished_us(f));
	reply_end();
}

void reply_unknown(struct bufpack *p, enum outcome_code code)
{
	bufpack_array(p, 3);
	bufpack_text(p, outcome_code_name(code));
	bufpack_text(p, code == OUTCOME_E_EXPIRED ? "it was kept its time and is forgotten"
						  : "no such future");
	bufpack_map(p, 0);
}

void reply_final_unknown(struct conn *c, uint64_t id, enum outcome_code code)
{
	struct bufpack *p = begin_final(c, id);

	bufpack_text(p, outcome_code_name(code));
	bufpack_nil(p);
	reply_unknown(p, code);
	bufpack_map(p, 0);
	reply_end();
}
