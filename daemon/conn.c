/* Connections.
 *
 *	open ──► ended ──► closed          peer closed its side; both sides
 *	  └──► flushing ──► closed         `fatal` is on its way
 *
 * Back-pressure: nothing more is read from a client that does not take its answers (HIGH_BYTES
 * waiting). What it is owed later (pendings) is not encoded when it becomes due, but when there is
 * room, so a slow reader holds no more than that. Everything is written once a turn, in
 * conns_flush().
 *
 * Requests of one uid have a share of each turn, by the time that they take; what comes when it is
 * used up is handled in the next ones.
 *
 * Events are edge-triggered: so nothing has to be changed in the kernel when a client is paused,
 * and the edge of writability tells when a peer read fds or hung up. libevent does not mix both
 * kinds on one fd.
 *
 * A receive that brought less than it had room for has emptied the socket, so there is no second
 * one to be told so. What it does not tell is that the peer is gone, which the same edge may have
 * been for. libevent says so of a peer that closed its side, but not of one that went with answers
 * unread (EPOLLERR): of that tells the next send, or, if nothing is to be sent in this turn, a
 * look.
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

#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/log.h"
#include "proto/rpc.h"

#define READS_A_TURN 4
#define HIGH_BYTES   (256u * 1024u)
#define LOW_BYTES    (64u * 1024u)

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

static void drop_pendings(struct conn *c)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(&c->ready)) || (p = TAILQ_FIRST(&c->pendings)))
		pending_remove(p, true);
}

void conn_close(struct conn *c, const char *reason)
{
	struct conns *cs = c->conns;

	if (c->state == CONN_CLOSED)
		return;
	log_debug("conn %llu: closed: %s", (unsigned long long)c->number, reason);
	set_state(c, CONN_CLOSED);
	event_del(c->on_readable);
	event_del(c->on_writable);
	drop_pendings(c);
	if (c->is_dirty)
		TAILQ_REMOVE(&cs->dirty, c, in_dirty);
	if (c->is_resumed)
		TAILQ_REMOVE(&cs->resumed, c, in_resumed);
	TAILQ_REMOVE(&cs->all, c, in_all);
	TAILQ_INSERT_TAIL(&cs->closed, c, in_all);
	cs->n--;
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
	if (conns_may_log(c->conns, CONNS_FATAL))
		log_info("conn %llu uid %u: fatal %s: %s", (unsigned long long)c->number, c->uid,
			code, message);
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

bool conn_has_room(const struct conn *c)
{
	return c->out.bytes < HIGH_BYTES;
}

static void conn_fault(struct conn *c, const struct inbox_fault *fault)
{
	conn_fatal(c, fault->code, "%s", fault->message);
}

/* It goes on in the next turn. */
static void resume(struct conn *c)
{
	if (c->is_resumed || c->state > CONN_ENDED)
		return;
	c->is_resumed = true;
	TAILQ_INSERT_TAIL(&c->conns->resumed, c, in_resumed);
}

static void handle(struct conn *c, const struct inbox_message *m, uint64_t now_us)
{
	struct conns *cs = c->conns;

	if (cs->ops->on_message(cs->userdata, c, m->bytes, m->scan, m->fds, m->n_fds, now_us) != 0)
		conn_fatal(c, "bad_request", "not a MessagePack-RPC message");
	inbox_pop(&c->in);
}

/* What was done since then is taken from its uid's share of the turn. Returns the time. */
static uint64_t spend(struct conn *c, uint64_t since_us)
{
	uint64_t now_us = clock_now_us();

	conns_spend(c->conns, c->uid, now_us - since_us);
	return now_us;
}

/* Handles the complete messages that lie in the inbox. The clock is looked at when the system's
 * tick, which costs less to read, has moved. */
static void process(struct conn *c)
{
	uint64_t now_us = clock_now_us(), tick_us = clock_tick_us();
	struct inbox_message m;
	struct inbox_fault fault;
	int r = 0;

	while (r == 0 && c->state <= CONN_ENDED) {
		if (!conn_has_room(c)) {
			c->is_paused = true;
			break;
		}
		if (!conns_have_time(c->conns, c->uid)) {
			resume(c);
			break;
		}
		r = inbox_next(&c->in, &m, &fault);
		if (r != 0)
			break;
		handle(c, &m, now_us);
		if (clock_tick_us() != tick_us) {
			now_us = spend(c, now_us);
			tick_us = clock_tick_us();
		}
	}
	spend(c, now_us);
	if (r != INBOX_E_FAULT && c->state <= CONN_ENDED)
		r = inbox_settle(&c->in, &fault);
	if (r == INBOX_E_FAULT)
		conn_fault(c, &fault);
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

/* Reads once. False: there is no more for now. */
static bool read_and_process(struct conn *c)
{
	struct inbox_fault fault;
	int r;

	r = inbox_receive(&c->in, c->fd, &fault);
	if (r == 0)
		process(c);
	else if (r == INBOX_E_FAULT)
		conn_fault(c, &fault);
	else if (r == INBOX_END)
		input_ended(c);
	else if (r != -EAGAIN && r != -EINTR)
		conn_close(c, strerror(-r));
	c->is_unsure = r == 0 && c->in.was_all && !c->is_ending;
	return r == 0 && !c->is_unsure;
}

/* Reads until there is no more, since readability is told by its edge only. A client that has more
 * to say than READS_A_TURN, or whose requests took its uid's share of the turn, goes on in the next
 * turn, after the others. */
static void read_on(struct conn *c)
{
	int left = READS_A_TURN;

	while (c->state == CONN_OPEN && !c->is_paused && !c->is_resumed && read_and_process(c))
		if (--left == 0) {
			resume(c);
			break;
		}
	conn_touch(c);
}

void conn_go_on(struct conn *c)
{
	process(c);
	read_on(c);
}

static void readable(evutil_socket_t fd, short what, void *userdata)
{
	struct conn *c = userdata;

	c->is_ending |= (what & EV_CLOSED) != 0;
	read_on(c);
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

	while (c->state <= CONN_ENDED && conn_has_room(c) && (p = TAILQ_FIRST(&c->ready)))
		pending_write(p);
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

/* Somebody who took an answer just now is there; and whoever goes later is told of by an edge of
 * its own. */
static void make_sure(struct conn *c, bool has_taken)
{
	if (c->is_unsure && !has_taken && is_hung_up(c)) {
		c->is_ending = true;
		resume(c);
	}
	c->is_unsure = false;
}

void conn_flush(struct conn *c)
{
	bool is_told = false;
	int r = 0;

	if (c->state == CONN_FLUSHING) {
		/* however long the peer takes to read its last word */
		inbox_deinit(&c->in);
		drop_pendings(c);
	}
	do {
		write_ready(c);
		if (c->state == CONN_CLOSED)
			return;
		is_told = !outbox_is_empty(&c->out);
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
		make_sure(c, is_told && r == 0);
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
	TAILQ_INIT(&c->pendings);
	TAILQ_INIT(&c->ready);
	c->on_readable = event_new(
		cs->base, fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, readable, c);
	c->on_writable = event_new(cs->base, fd, EV_WRITE | EV_ET | EV_PERSIST, writable, c);
	if (!c->on_readable || !c->on_writable) {
		conn_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void conn_silence(struct conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
	inbox_deinit(&c->in);
	outbox_drop(&c->out);
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
		inbox_deinit(&c->in);
		outbox_deinit(&c->out);
		account_give_one(c->account, ACCOUNT_CONNECTIONS, 1);
		account_unref(c->account);
	}
	free(c->groups);
	closer_close_socket(c->fd);
	free(c);
	return NULL;
}
