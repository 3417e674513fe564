/* Connections.
 *
 *	open ──► ended ──► closed          peer closed its side; both sides
 *	  └──► flushing ──► closed         `fatal` is on its way
 *
 * Input is read into one buffer that all connections share; only the rest of an incomplete message
 * is kept in a buffer of the connection's own, charged to its uid. So ten thousand idle connections
 * cost next to nothing.
 *
 * Back-pressure: nothing more is read from a client that does not take its answers (HIGH_BYTES
 * waiting). What it is owed later (pendings) is not encoded when it becomes due, but when there is
 * room, so a slow reader holds no more than that. Everything is written once a turn, in
 * conns_flush().
 *
 * Events are edge-triggered: so nothing has to be changed in the kernel when a client is paused, and the edge of
 * writability tells when a peer read fds or hung up. libevent does not mix both kinds on one fd.
 *
 * Nothing is freed where it happens: a closed connection stays until conns_sweep().
 */
#include "daemon/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "proto/rpc.h"

#define READS_A_TURN 4
#define READ_BYTES   (64u * 1024u)
#define FREE_BYTES   (64u * 1024u)
#define HIGH_BYTES   (256u * 1024u)
#define LOW_BYTES    (64u * 1024u)
/* A message may start in one read and complete in a later one, each with its fds. */
#define QUEUED_FDS (2 * PROTO_MESSAGE_FDS)

#define TO(s) (1u << CONN_##s)

static const uint8_t legal[_CONN_STATE_MAX] = {
	[CONN_OPEN] = TO(ENDED) | TO(FLUSHING) | TO(CLOSED),
	[CONN_ENDED] = TO(FLUSHING) | TO(CLOSED),
	[CONN_FLUSHING] = TO(CLOSED),
};

static void set_state(struct conn *c, enum conn_state to)
{
	assert(legal[c->state] >> to & 1);
	c->state = to;
}

void conn_touch(struct conn *c)
{
	if (c->is_dirty || c->state == CONN_CLOSED)
		return;
	c->is_dirty = true;
	TAILQ_INSERT_TAIL(&c->conns->dirty, c, in_dirty);
}

/* ---- closing ---- */

void conn_close(struct conn *c, const char *reason)
{
	struct conns *cs = c->conns;
	struct pending *p;

	if (c->state == CONN_CLOSED)
		return;
	log_debug("conn %llu: closed: %s", (unsigned long long)c->number, reason);
	set_state(c, CONN_CLOSED);
	event_del(c->on_readable);
	event_del(c->on_writable);
	while ((p = TAILQ_FIRST(&c->pendings)))
		pending_remove(p, true);
	if (c->is_dirty)
		TAILQ_REMOVE(&cs->dirty, c, in_dirty);
	if (c->is_resumed)
		TAILQ_REMOVE(&cs->resumed, c, in_resumed);
	TAILQ_REMOVE(&cs->all, c, in_all);
	TAILQ_INSERT_TAIL(&cs->closed, c, in_all);
	cs->n--;
}

static void uncharge_input(struct conn *c)
{
	account_give_one(c->account, ACCOUNT_BYTES, c->in_charged);
	c->in_charged = 0;
}

/* Not while a message is handled: its bytes lie here. */
static void drop_input(struct conn *c)
{
	fdqueue_deinit(&c->fds);
	buf_deinit(&c->in);
	uncharge_input(c);
}

void conn_pack_fatal(struct buf *b, const char *code, const char *message)
{
	struct bufpack p;

	bufpack_init(&p, b);
	rpc_pack_notification(&p, "fatal");
	bufpack_array(&p, 2);
	bufpack_text(&p, code);
	bufpack_text(&p, message);
	if (bufpack_error(&p) != 0)
		buf_clear(b);
}

void conn_fatal(struct conn *c, const char *code, const char *format, ...)
{
	struct buf b = BUF_INIT(4096);
	char message[512];
	va_list ap;

	if (c->state >= CONN_FLUSHING)
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_info("conn %llu uid %u: fatal %s: %s", (unsigned long long)c->number, c->uid, code,
		message);
	c->conns->n_fatal++;
	conn_pack_fatal(&b, code, message);
	if (outbox_begin(&c->out, NULL, 0) != 0 ||
		outbox_bytes(&c->out, buf_head(&b), buf_used(&b)) != 0)
		log_debug(
			"conn %llu: no room for the fatal message", (unsigned long long)c->number);
	buf_deinit(&b);
	set_state(c, CONN_FLUSHING);
	event_del(c->on_readable);
	conn_touch(c);
}

/* ---- reading ---- */

static void fatal_scan(struct conn *c, int r)
{
	const char *code = r == SCAN_E_LONG   ? "too_large"
			   : r == SCAN_E_DEEP ? "too_deep"
					      : "bad_request";

	conn_fatal(c, code, "message refused: %s (at most %u bytes, nested %u deep)",
		scan_strerror(r), PROTO_MESSAGE_BYTES, PROTO_DEPTH);
}

/* The fds that a complete message names, taken from the queue. 0, or -1: the connection is over. */
static int take_fds(struct conn *c, int *fds, unsigned *ret_n)
{
	unsigned n = (unsigned)__builtin_popcountll(c->scan.fd_mask);

	*ret_n = 0;
	if (!n)
		return 0;
	if (c->scan.fd_mask != (1ull << n) - 1)
		conn_fatal(c, "bad_fd", "a message names fd indexes that are not 0 to %u", n - 1);
	else if (n > PROTO_MESSAGE_FDS)
		conn_fatal(c, "bad_fd", "a message with %u fds: at most %u", n, PROTO_MESSAGE_FDS);
	else if (!fdqueue_take(&c->fds, fds, n))
		conn_fatal(c, "bad_fd", "a message names %u fds, but %u came with it", n, c->fds.n);
	else
		*ret_n = n;
	return *ret_n ? 0 : -1;
}

static bool has_room(const struct conn *c)
{
	return c->out.bytes < HIGH_BYTES;
}

/* Handles the complete messages at the front of bytes[0 … n). Returns how many bytes were used up.
 */
static size_t process(struct conn *c, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	while (c->state == CONN_OPEN || c->state == CONN_ENDED) {
		int fds[PROTO_MESSAGE_FDS], r;
		unsigned n_fds;

		if (!has_room(c)) {
			c->is_paused = true;
			break;
		}
		r = scan_step(&c->scan, bytes + done, n - done);
		if (r == SCAN_MORE)
			break;
		if (r != SCAN_DONE) {
			fatal_scan(c, r);
			break;
		}
		if (take_fds(c, fds, &n_fds) < 0)
			break;
		r = c->conns->ops->on_message(
			c->conns->userdata, c, bytes + done, &c->scan, fds, n_fds);
		if (r)
			conn_fatal(c, "bad_request", "not a MessagePack-RPC message");
		done += c->scan.pos;
		scan_init(&c->scan, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	}
	return done;
}

/* fds that no message will take. */
static void check_left_over_fds(struct conn *c)
{
	if (c->state <= CONN_ENDED && c->fds.n && !buf_used(&c->in) && !c->is_paused)
		conn_fatal(c, "bad_fd", "%u fds came that no message names", c->fds.n);
}

/* The first FREE_BYTES are the connection's: so that one whose uid has no bytes left can still be told
 * to release some. */
static int charge_input(struct conn *c, size_t size)
{
	struct refusal why;

	size = size > FREE_BYTES ? size - FREE_BYTES : 0;
	if (size <= c->in_charged)
		return 0;
	if (account_take_one(c->account, ACCOUNT_BYTES, size - c->in_charged, &why) != 0) {
		conn_fatal(c, why.of_uid ? "quota" : "full",
			"%s of a message's buffer: %llu of %llu", account_kind_name(why.kind),
			(unsigned long long)why.value, (unsigned long long)why.max);
		return -EDQUOT;
	}
	c->in_charged = size;
	return 0;
}

/* Keeps what is left of the shared buffer. */
static void keep(struct conn *c, const uint8_t *bytes, size_t n)
{
	if (!n || c->state > CONN_ENDED)
		return;
	if (charge_input(c, buf_size_after(&c->in, n)) < 0)
		return;
	if (buf_append(&c->in, bytes, n) < 0)
		conn_fatal(c, "full", "out of memory");
}

static void process_kept(struct conn *c)
{
	buf_consume(&c->in, process(c, buf_head(&c->in), buf_used(&c->in)));
	if (buf_used(&c->in))
		return;
	buf_deinit(&c->in);
	uncharge_input(c);
}

/* Reads once. Returns what recvmsg() returned, or -EAGAIN. */
static ssize_t read_once(struct conn *c, uint8_t *into, size_t n)
{
	int condition = 0;
	ssize_t got;

	got = fdpass_recv(c->fd, into, n, MSG_DONTWAIT, &c->fds, &condition);
	if (condition == FDPASS_E_TRUNCATED)
		conn_fatal(c, "bad_fd", "a truncated control message");
	else if (condition)
		conn_fatal(c, "bad_fd", "more than %u fds at once", QUEUED_FDS);
	return got;
}

static bool is_hung_up(const struct conn *c)
{
	struct pollfd p = {.fd = c->fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* The peer sends no more; it may still read. Edge-triggered writability wakes us when it goes
 * altogether. */
static void input_ended(struct conn *c)
{
	event_del(c->on_readable);
	if (is_hung_up(c)) {
		conn_close(c, "the peer closed");
		return;
	}
	if (c->state == CONN_OPEN)
		set_state(c, CONN_ENDED);
	conn_touch(c);
}

/* It goes on in the next turn. */
static void resume(struct conn *c)
{
	if (c->is_resumed || c->state > CONN_ENDED)
		return;
	c->is_resumed = true;
	TAILQ_INSERT_TAIL(&c->conns->resumed, c, in_resumed);
}

/* Room in the connection's own buffer, charged. NULL: the connection is over. */
static uint8_t *room_behind(struct conn *c, size_t *ret_n)
{
	size_t used = buf_used(&c->in), want = c->in.max - used;
	size_t most = used < FREE_BYTES / 2 ? FREE_BYTES / 2 : READ_BYTES;

	want = want < most ? want : most;
	if (charge_input(c, buf_size_after(&c->in, want)) < 0)
		return NULL;
	if (buf_reserve(&c->in, want) < 0) {
		conn_fatal(c, "full", "out of memory");
		return NULL;
	}
	return buf_room(&c->in, ret_n);
}

/* One read: into the shared buffer, or behind what is kept. False: there is no more for now. */
static bool read_and_process(struct conn *c)
{
	static uint8_t shared[READ_BYTES];
	bool is_partial = buf_used(&c->in) > 0;
	uint8_t *into = shared;
	size_t room = sizeof(shared), used;
	ssize_t n;

	if (is_partial) {
		into = room_behind(c, &room);
		if (!into)
			return false;
	}
	n = read_once(c, into, room);
	if (n == -EAGAIN || n == -EINTR || c->state > CONN_ENDED)
		return false;
	if (n <= 0) {
		if (n < 0)
			conn_close(c, strerror((int)-n));
		else
			input_ended(c);
		return false;
	}
	if (is_partial) {
		buf_commit(&c->in, (size_t)n);
		process_kept(c);
	} else {
		used = process(c, shared, (size_t)n);
		keep(c, shared + used, (size_t)n - used);
	}
	check_left_over_fds(c);
	return c->state == CONN_OPEN && !c->is_paused;
}

/* Reads until there is no more, since readability is told by its edge only. A client that has more to say than
 * READS_A_TURN goes on in the next turn, after the others. */
static void read_on(struct conn *c)
{
	int left = READS_A_TURN;

	while (c->state == CONN_OPEN && !c->is_paused && read_and_process(c))
		if (--left == 0) {
			resume(c);
			break;
		}
	conn_touch(c);
}

void conn_go_on(struct conn *c)
{
	process_kept(c);
	check_left_over_fds(c);
	read_on(c);
}

static void readable(evutil_socket_t fd, short what, void *userdata)
{
	read_on(userdata);
}

static void writable(evutil_socket_t fd, short what, void *userdata)
{
	struct conn *c = userdata;

	if (c->state == CONN_ENDED && is_hung_up(c))
		conn_close(c, "the peer closed");
	else
		conn_touch(c);
}

/* ---- writing ---- */

static void write_ready(struct conn *c)
{
	struct pending *p;

	while (c->state <= CONN_ENDED && has_room(c) && (p = TAILQ_FIRST(&c->ready))) {
		p->ops->write(p);
		if (c->state != CONN_CLOSED)
			pending_remove(p, false);
	}
}

/* Wakes up when the socket has room, or when the peer reads fds: an edge in both cases. */
static void listen_for_write(struct conn *c, bool is_wanted)
{
	bool want = is_wanted || c->state == CONN_ENDED;

	if (want == c->is_listening_for_write)
		return;
	c->is_listening_for_write = want;
	if (want)
		event_add(c->on_writable, NULL);
	else
		event_del(c->on_writable);
}

void conn_flush(struct conn *c)
{
	int r = 0;

	if (c->state == CONN_FLUSHING)
		drop_input(c);
	do {
		write_ready(c);
		if (c->state == CONN_CLOSED)
			return;
		r = outbox_flush(&c->out, c->fd);
	} while (r == 0 && c->state <= CONN_ENDED && !TAILQ_EMPTY(&c->ready));
	if (r < 0) {
		conn_close(c, strerror(-r));
	} else if (r == 0 && c->state == CONN_FLUSHING) {
		conn_close(c, "after fatal");
	} else {
		listen_for_write(c, r == OUTBOX_AGAIN);
		if (c->is_paused && c->out.bytes <= LOW_BYTES) {
			c->is_paused = false;
			resume(c);
		}
	}
}

/* ---- its life ---- */

int conn_new(struct conns *cs, int fd, struct conn **ret)
{
	struct conn *c;

	c = calloc(1, sizeof(*c));
	if (!c) {
		fd_close(fd);
		return -ENOMEM;
	}
	c->conns = cs;
	c->fd = fd;
	c->number = cs->next_number++;
	buf_init(&c->in, PROTO_MESSAGE_BYTES + READ_BYTES);
	scan_init(&c->scan, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	fdqueue_init(&c->fds, QUEUED_FDS);
	TAILQ_INIT(&c->pendings);
	TAILQ_INIT(&c->ready);
	c->on_readable = event_new(cs->base, fd, EV_READ | EV_ET | EV_PERSIST, readable, c);
	c->on_writable = event_new(cs->base, fd, EV_WRITE | EV_ET | EV_PERSIST, writable, c);
	if (!c->on_readable || !c->on_writable) {
		conn_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

struct conn *conn_free(struct conn *c)
{
	if (!c)
		return NULL;
	if (c->on_readable)
		event_free(c->on_readable);
	if (c->on_writable)
		event_free(c->on_writable);
	if (c->account) {
		drop_input(c);
		outbox_deinit(&c->out);
		account_give_one(c->account, ACCOUNT_CONNECTIONS, 1);
		account_unref(c->account);
	}
	free(c->groups);
	fd_close(c->fd);
	free(c);
	return NULL;
}
