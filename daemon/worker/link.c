/* The link.
 *
 * Receiving is starting: a packet is taken only when its first run can start, so link_receive() is
 * called when all answers of the packet before are sent. The one exception is link_listen(), which
 * a job asks for after the bell: the daemon took the inbox back before it rang, so what lies there
 * are `cancel`s. A bell of somebody else's may ring beside a full inbox; the packet that is taken
 * then waits in `early` and is worked on next, as if it had been received in its turn.
 *
 * Answers of one packet are collected and sent together: for small pure jobs, sending costs more
 * than running.
 */
#include "daemon/worker/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "proto/scan.h"

static int packet_init(struct packet *p)
{
	fdqueue_init(&p->fds, PROTO_PACKET_FDS);
	p->bytes = malloc(PROTO_PACKET_BYTES);
	p->len = 0;
	p->pos = 0;
	return p->bytes ? 0 : -ENOMEM;
}

static void packet_deinit(struct packet *p)
{
	fdqueue_deinit(&p->fds);
	free(take_ptr(p->bytes));
}

int link_init(struct link *l, int fd)
{
	int r;

	l->fd = fd;
	l->has_early = false;
	l->n_cancelled = 0;
	l->n_out_fds = 0;
	buf_init(&l->out, PROTO_PACKET_BYTES);
	l->early.bytes = NULL;
	fdqueue_init(&l->early.fds, PROTO_PACKET_FDS);
	r = packet_init(&l->packet);
	if (r == 0)
		r = packet_init(&l->early);
	if (r == 0)
		r = buf_reserve(&l->out, PROTO_PACKET_BYTES);
	if (r < 0)
		link_deinit(l);
	return r;
}

static void close_out_fds(struct link *l)
{
	for (unsigned i = 0; i < l->n_out_fds; i++)
		fd_close(l->out_fds[i]);
	l->n_out_fds = 0;
}

void link_deinit(struct link *l)
{
	packet_deinit(&l->packet);
	packet_deinit(&l->early);
	close_out_fds(l);
	buf_deinit(&l->out);
}

static void packet_forget(struct packet *p)
{
	fdqueue_init(&p->fds, PROTO_PACKET_FDS);
	p->len = 0;
	p->pos = 0;
}

void link_renew(struct link *l, int fd)
{
	l->fd = fd;
	l->has_early = false;
	l->n_cancelled = 0;
	l->n_out_fds = 0;
	buf_clear(&l->out);
	packet_forget(&l->packet);
	packet_forget(&l->early);
}

/* 1, 0 at the end of file, -errno. */
static int packet_receive(struct packet *p, int fd, int flags)
{
	int condition;
	ssize_t n;

	fdqueue_deinit(&p->fds);
	p->pos = 0;
	p->len = 0;
	n = fdpass_recv(fd, p->bytes, PROTO_PACKET_BYTES, flags, &p->fds, &condition);
	if (n <= 0)
		return (int)n;
	if (condition)
		return -EPROTO;
	p->len = (size_t)n;
	return 1;
}

bool link_is_closed(int r)
{
	return r == -EPIPE || r == -ECONNRESET;
}

int link_receive(struct link *l)
{
	int r;

	l->n_cancelled = 0;
	if (l->has_early) {
		struct packet p = l->packet;

		l->packet = l->early;
		l->early = p;
		l->has_early = false;
		return 1;
	}
	do
		r = packet_receive(&l->packet, l->fd, 0);
	while (r == -EINTR);
	return link_is_closed(r) ? 0 : r;
}

/* Indexes count up from 0, and an ext 3 has the next one free behind those in its own value: so the
 * highest that the message itself names tells how many fds it takes. */
static unsigned fds_named(const struct scan *s)
{
	return s->fd_mask ? 64u - (unsigned)__builtin_clzll(s->fd_mask) : 0;
}

static int packet_next(struct packet *p, struct message *ret)
{
	const uint8_t *bytes = p->bytes + p->pos;
	size_t len = p->len - p->pos;
	struct scan s;

	if (len == 0)
		return 0;
	scan_init(&s, len, PROTO_DEPTH);
	if (scan_step(&s, bytes, len) != SCAN_DONE)
		return -EPROTO;
	if (rpc_parse(&ret->rpc, bytes, s.pos) != 0)
		return -EPROTO;
	ret->n_fds = fds_named(&s);
	p->pos += s.pos;
	return 1;
}

int link_next(struct link *l, struct message *ret)
{
	return packet_next(&l->packet, ret);
}

struct cursor link_rest(const struct link *l)
{
	const struct packet *p = &l->packet;

	return cursor_of(p->bytes + p->pos, p->fds.n ? 0 : p->len - p->pos);
}

void link_step(struct link *l, const uint8_t *end)
{
	l->packet.pos = (size_t)(end - l->packet.bytes);
}

int link_take_fds(struct link *l, const struct message *m, int *fds)
{
	return fdqueue_take(&l->packet.fds, fds, m->n_fds) ? 0 : -EPROTO;
}

/* Notes the `cancel`s of a packet. True if it held no request; another notification is lost. */
static bool note_cancels(struct link *l, struct packet *p)
{
	struct message m;
	uint64_t id;

	while (packet_next(p, &m) == 1) {
		if (m.rpc.type != RPC_NOTIFICATION)
			return false;
		if (text_equal(m.rpc.method, m.rpc.method_len, "cancel") && m.rpc.n_params >= 1 &&
			cursor_uint(&m.rpc.params, &id) && l->n_cancelled < LINK_CANCELS)
			l->cancelled[l->n_cancelled++] = id;
	}
	return p->pos == p->len;
}

void link_listen(struct link *l)
{
	/* two bells that ring at once are heard as one: so look again after each cancel */
	while (!l->has_early && packet_receive(&l->early, l->fd, MSG_DONTWAIT) == 1) {
		if (note_cancels(l, &l->early))
			continue;
		l->early.pos = 0;
		l->has_early = true;
	}
}

bool link_is_cancelled(const struct link *l, uint64_t id)
{
	for (unsigned i = 0; i < l->n_cancelled; i++) {
		if (l->cancelled[i] == id)
			return true;
	}
	return false;
}

int link_make_room(struct link *l, size_t bytes, unsigned n_fds)
{
	if (buf_used(&l->out) + bytes <= PROTO_PACKET_BYTES &&
		l->n_out_fds + n_fds <= PROTO_PACKET_FDS)
		return 0;
	return link_flush(l, 0);
}

void link_attach(struct link *l, int fd)
{
	l->out_fds[l->n_out_fds++] = fd;
}

/* "Not now": too many fds in flight, or no memory for the packet. It passes when the daemon reads.
 */
static void back_off(unsigned attempt)
{
	struct timespec ts = {.tv_nsec = 1000000l << (attempt < 5 ? attempt : 5)};

	nanosleep(&ts, NULL);
}

int link_flush(struct link *l, int flags)
{
	struct iovec iov = {(void *)buf_head(&l->out), buf_used(&l->out)};
	ssize_t n;

	if (!link_has_out(l))
		return 0;
	for (unsigned attempt = 0;; attempt++) {
		n = fdpass_send(l->fd, &iov, 1, flags, l->out_fds, l->n_out_fds);
		if (n >= 0)
			break;
		if (flags & MSG_DONTWAIT)
			return (int)n;
		if (n == -ETOOMANYREFS || n == -ENOBUFS || n == -ENOMEM)
			back_off(attempt);
		else if (n != -EINTR)
			return (int)n;
	}
	buf_clear(&l->out);
	close_out_fds(l);
	return 0;
}

void link_flush_dying(struct link *l)
{
	struct iovec iov = {(void *)buf_head(&l->out), buf_used(&l->out)};

	if (iov.iov_len > 0 &&
		fdpass_send(l->fd, &iov, 1, MSG_DONTWAIT, l->out_fds, l->n_out_fds) > 0)
		buf_clear(&l->out);
}

int link_answer_error(struct link *l, uint32_t msgid, const char *code, const char *message)
{
	char words[PROTO_MESSAGE_TEXT_BYTES + 1];
	struct bufpack p;
	int r;

	snprintf(words, sizeof(words), "%s", message);
	text_clean(words, strlen(words));
	r = link_make_room(l, strlen(code) + strlen(words) + 64, 0);
	if (r < 0)
		return r;
	bufpack_init(&p, &l->out);
	rpc_pack_answer(&p, msgid);
	bufpack_array(&p, 3);
	bufpack_text(&p, code);
	bufpack_text(&p, words);
	bufpack_map(&p, 0);
	bufpack_nil(&p);
	return bufpack_error(&p);
}
