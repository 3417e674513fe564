/* The one pump. Everything that waits, in whatever form, comes down to cl_io_turn():
 *
 *   callbacks that are due ► what is complete in `in` ► send `out` ► wait ► receive ► handle ► send
 * `out`
 *
 * Bytes are never sent or received elsewhere, but for cl_io_send() when much has gathered. The
 * socket itself is a blocking one: each call says MSG_DONTWAIT, so that a wait without limit is one
 * receive.
 *
 * fds go with the sendmsg() whose first byte is their message's first byte; so a send ends before
 * each message that has some. A send that fails does not end the connection: why the daemon closed
 * it may still lie in the socket. Only the end of input does.
 *
 * What the daemon sends is checked like a stranger's: by scan before anything is decoded, with
 * bounds on bytes, depth and fds. One message that breaks a rule ends the connection (-EPROTO); all
 * futures that wait are told. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/client_internal.h"

/* Room for one receive. */
#define RECEIVE_BYTES (64u * 1024u)
/* Send by oneself when so much has gathered. */
#define FLUSH_BYTES (64u * 1024u)
/* Messages handled in one round. */
#define ROUND_MESSAGES 4096u
/* What a daemon may say of the length of its messages. */
#define MESSAGE_BYTES_MAX (64u * 1024u * 1024u)
/* When the kernel takes no more fds in flight, try again after this. */
#define FDS_AGAIN_US 2000u

uint64_t cl_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void cl_io_open(poold *p, int fd)
{
	p->fd = fd;
	p->state = CL_OPEN;
	p->is_deaf = false;
	p->is_in_ready = false;
	p->out_at = 0;
	p->out_again_us = 0;
	p->out_flush_at = FLUSH_BYTES;
	p->max_in = PROTO_MESSAGE_BYTES + PROTO_INLINE_BYTES;
	p->max_message = PROTO_MESSAGE_BYTES;
	p->in.max = p->max_in + RECEIVE_BYTES;
	scan_init(&p->scan, p->max_in, PROTO_DEPTH);
}

void cl_io_set_message_bytes(poold *p, uint64_t n)
{
	if (n > MESSAGE_BYTES_MAX)
		n = MESSAGE_BYTES_MAX;
	p->max_message = (size_t)n;
	/* what comes in is never bounded tighter than before: some may be there already */
	if (n > PROTO_MESSAGE_BYTES)
		p->max_in = (size_t)n + PROTO_INLINE_BYTES;
	p->in.max = p->max_in + RECEIVE_BYTES;
}

static void drop_first_mark(poold *p)
{
	struct cl_mark *mark = &p->marks[p->first_mark];

	for (unsigned i = 0; i < mark->n_fds; i++)
		fd_close(mark->fds[i]);
	p->first_mark = (p->first_mark + 1) % CL_MARKS_MAX;
	p->n_marks--;
}

static void drop_output(poold *p)
{
	while (p->n_marks > 0)
		drop_first_mark(p);
	buf_clear(&p->out);
}

void cl_io_close(poold *p)
{
	drop_output(p);
	buf_deinit(&p->out);
	buf_deinit(&p->in);
	fdqueue_deinit(&p->in_fds);
	p->fd = fd_close(p->fd);
	buf_deinit(&p->releases);
	p->release_at_us = 0;
}

void cl_io_lose(poold *p, int error, int *ret_cb)
{
	p->state = CL_LOST;
	p->lost_error = error;
	cl_io_close(p);
	cl_call_lose_all(p, ret_cb);
	cl_watch_lose_all(p, ret_cb);
	cl_future_lose_all(p);
	(void)cl_future_run_due(p, ret_cb);
}

/* One piece: what stands before the next message with fds, or that message up to the one behind it.
 */
static ssize_t send_piece(poold *p)
{
	struct iovec iov = {(void *)buf_head(&p->out), buf_used(&p->out)};
	struct cl_mark *mark = p->n_marks > 0 ? &p->marks[p->first_mark] : NULL, *next = mark;
	unsigned n_fds = 0;
	ssize_t n;

	if (mark && mark->at == p->out_at) {
		n_fds = mark->n_fds;
		next = p->n_marks > 1 ? &p->marks[(p->first_mark + 1) % CL_MARKS_MAX] : NULL;
	}
	if (next)
		iov.iov_len = (size_t)(next->at - p->out_at);
	n = fdpass_send(p->fd, &iov, 1, MSG_DONTWAIT, n_fds ? mark->fds : NULL, n_fds);
	if (n > 0 && n_fds > 0)
		drop_first_mark(p);
	return n;
}

void cl_io_send(poold *p)
{
	while (buf_used(&p->out) > 0) {
		ssize_t n;

		if (p->out_again_us != 0 && cl_now_us() < p->out_again_us)
			return;
		p->out_again_us = 0;
		n = send_piece(p);
		if (n > 0) {
			buf_consume(&p->out, (size_t)n);
			p->out_at += (uint64_t)n;
		} else if (n == -EAGAIN) {
			p->out_flush_at = buf_used(&p->out) + FLUSH_BYTES;
			return;
		} else if (n == -ETOOMANYREFS || n == -ENOBUFS || n == -ENOMEM) {
			p->out_again_us = cl_now_us() + FDS_AGAIN_US;
			return;
		} else if (n != -EINTR) {
			p->is_deaf = true;
			drop_output(p);
		}
	}
	p->out_flush_at = FLUSH_BYTES;
}

void cl_io_send_much(poold *p)
{
	if (buf_used(&p->out) >= p->out_flush_at && !p->is_deaf)
		cl_io_send(p);
}

/* A whole message: bytes[0 … len), which scan accepted. */
static int handle_message(poold *p, const uint8_t *bytes, size_t len, int *ret_cb)
{
	unsigned n_fds = p->scan.fd_mask ? (unsigned)__builtin_popcountll(p->scan.fd_mask) : 0;
	int fds[PROTO_RESULT_FDS], r;
	struct cl_message m;

	if (p->scan.has_value_ext || p->scan.fd_mask != (1ull << n_fds) - 1)
		return cl_fail(
			p, -EPROTO, "the daemon sent a message with ext types that it may not use");
	if (n_fds > PROTO_RESULT_FDS || n_fds > p->in_fds.n)
		return cl_fail(p, -EPROTO, "the daemon sent a message that names %u fds, with %u",
			n_fds, p->in_fds.n);
	if (rpc_parse(&m.rpc, bytes, len) != 0)
		return cl_fail(p, -EPROTO, "the daemon sent what is no message");
	m.fds = p->in_fds.fds;
	m.n_fds = n_fds;
	m.are_fds_taken = false;
	r = cl_call_dispatch(p, &m, ret_cb);
	if (n_fds > 0 && fdqueue_take(&p->in_fds, fds, n_fds) && !m.are_fds_taken)
		while (n_fds > 0)
			fd_close(fds[--n_fds]);
	return r;
}

/* A whole message of the form that most have. 1 if there was one, 0, or < 0. */
static int take_usual(poold *p, int *ret_cb)
{
	size_t len = buf_used(&p->in) < p->max_in ? buf_used(&p->in) : p->max_in;
	int r;

	/* a message has begun */
	if (p->scan.pos > 0 || p->scan.depth > 0)
		return 0;
	r = cl_final_take_usual(p, buf_head(&p->in), len, ret_cb, &len);
	if (r < 0)
		return cl_fail(p, r, "no room for what the daemon sent: %s", strerrordesc_np(-r));
	buf_consume(&p->in, len);
	return len > 0;
}

/* Handles what is complete in `in`. 1, or < 0 if the connection ends. */
static int handle_input(poold *p, int *ret_cb)
{
	p->is_in_ready = false;
	for (unsigned n = 0; buf_used(&p->in) > 0; n++) {
		int r;

		if (n == ROUND_MESSAGES || *ret_cb < 0) {
			p->is_in_ready = true;
			return 1;
		}
		r = take_usual(p, ret_cb);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		r = scan_step(&p->scan, buf_head(&p->in), buf_used(&p->in));
		if (r == SCAN_MORE)
			return 1;
		if (r != SCAN_DONE)
			return cl_fail(p, -EPROTO, "the daemon sent bytes that are wrong: %s",
				scan_strerror(r));
		r = handle_message(p, buf_head(&p->in), p->scan.pos, ret_cb);
		if (r < 0)
			return r;
		buf_consume(&p->in, p->scan.pos);
		scan_init(&p->scan, p->max_in, PROTO_DEPTH);
	}
	if (p->in_fds.n > 0)
		return cl_fail(
			p, -EPROTO, "the daemon sent %u fds that no message names", p->in_fds.n);
	return 1;
}

/* One receive. 1 if something came, 0, or < 0 if the connection ends. */
static int receive(poold *p, int flags)
{
	int condition = 0, r;
	uint8_t *room;
	size_t len;
	ssize_t n;

	r = buf_reserve(&p->in, RECEIVE_BYTES);
	if (r < 0)
		return cl_fail(p, r, "no memory for what the daemon sends");
	room = buf_room(&p->in, &len);
	n = fdpass_recv(p->fd, room, len, flags, &p->in_fds, &condition);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (condition != 0)
		return cl_fail(p, -EPROTO, "the daemon sent more fds than can be taken in");
	if (n <= 0)
		return cl_fail(p, -ENOTCONN, "the daemon closed the connection");
	buf_commit(&p->in, (size_t)n);
	return 1;
}

static bool wants_out(const poold *p)
{
	return buf_used(&p->out) > 0 && p->out_again_us == 0;
}

/* When the pump has something to do without the socket; POOLD_FOREVER: never. */
static uint64_t next_time(const poold *p)
{
	uint64_t at_us = p->out_again_us ? p->out_again_us : POOLD_FOREVER;

	return p->release_at_us && p->release_at_us < at_us ? p->release_at_us : at_us;
}

int cl_io_poll(poold *p, uint64_t until_us)
{
	struct pollfd fd = {.fd = p->fd, .events = POLLIN};
	int r;

	if (wants_out(p))
		fd.events |= POLLOUT;
	if (until_us > next_time(p))
		until_us = next_time(p);
	do {
		struct timespec left = {};

		if (until_us != POOLD_FOREVER) {
			uint64_t now_us = cl_now_us(),
				 us = until_us > now_us ? until_us - now_us : 0;

			left.tv_sec = (time_t)(us / 1000000u);
			left.tv_nsec = (long)(us % 1000000u) * 1000;
		}
		r = ppoll(&fd, 1, until_us != POOLD_FOREVER ? &left : NULL, NULL);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : fd.revents;
}

/* Waits until the socket has something to read, sending meanwhile, and reads once. */
static int wait_and_receive(poold *p, uint64_t until_us)
{
	int r;

	if (until_us == 0)
		return receive(p, MSG_DONTWAIT);
	if (until_us == POOLD_FOREVER && buf_used(&p->out) == 0 && p->release_at_us == 0)
		return receive(p, 0);
	r = cl_io_poll(p, until_us);
	if (r > 0 && r & POLLOUT)
		cl_io_send(p);
	if (r > 0 && r & ~POLLOUT)
		r = receive(p, MSG_DONTWAIT);
	return r;
}

static int turn(poold *p, uint64_t until_us, int *ret_cb)
{
	int did = cl_future_run_due(p, ret_cb), r = 1;

	if (*ret_cb < 0)
		return 1;
	if (p->state != CL_OPEN)
		return did ? 1 : p->state == CL_LOST ? p->lost_error : -ENOTCONN;
	cl_future_send_releases(p);
	cl_io_send(p);
	if (!p->is_in_ready)
		r = wait_and_receive(p, did ? 0 : until_us);
	if (r > 0)
		r = handle_input(p, ret_cb);
	if (r < 0) {
		cl_io_lose(p, r, ret_cb);
		return r;
	}
	did |= r;
	did |= cl_future_run_due(p, ret_cb);
	cl_future_send_releases(p);
	cl_io_send(p);
	return did;
}

int cl_io_turn(poold *p, uint64_t until_us)
{
	int cb = 0, r;

	if (p->is_pumping)
		return cl_fail(p, -EDEADLK,
			"this call runs the pump, so it cannot be made from a callback");
	p->is_pumping = true;
	p->n_refs++;
	r = turn(p, until_us, &cb);
	p->is_pumping = false;
	poold_unref(p);
	return cb < 0 ? cb : r;
}

poold_public int poold_get_fd(const poold *p)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	return p->state == CL_OPEN ? p->fd : -ENOTCONN;
}

poold_public int poold_get_events(const poold *p)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (p->state != CL_OPEN)
		return -ENOTCONN;
	return wants_out(p) ? POLLIN | POLLOUT : POLLIN;
}

static bool is_due(const poold *p)
{
	return p->is_in_ready || !STAILQ_EMPTY(&p->due);
}

poold_public int poold_get_timeout(const poold *p, uint64_t *ret_at_us)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (p->state != CL_OPEN && STAILQ_EMPTY(&p->due))
		return -ENOTCONN;
	*ret_at_us = is_due(p) ? 0 : next_time(p);
	return 0;
}

poold_public int poold_process(poold *p)
{
	int r = cl_check(p);

	return r < 0 ? r : cl_io_turn(p, 0);
}

poold_public int poold_wait(poold *p, uint64_t timeout_us)
{
	int r = cl_check_open(p);

	if (r < 0)
		return r;
	if (p->is_pumping)
		return cl_fail(p, -EDEADLK, "a callback cannot wait");
	if (is_due(p))
		return 1;
	r = cl_io_poll(p, cl_until_us(timeout_us));
	if (r == 0 && next_time(p) != POOLD_FOREVER)
		return cl_now_us() >= next_time(p);
	return r < 0 ? r : r > 0;
}
