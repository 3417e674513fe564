/* Input is read into one buffer that all connections share; only the rest of an incomplete message
 * is kept in a buffer of the connection's own, charged to its uid. So ten thousand idle connections
 * cost next to nothing.
 *
 *	receive ──► next, pop, next, pop … ──► settle
 *
 * What is kept when the reader stops early (back-pressure) is looked at again by the same next.
 */
#include "daemon/inbox.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#define READ_BYTES (64u * 1024u)
#define FREE_BYTES (64u * 1024u)
/* A message may start in one read and complete in a later one, each with its fds. */
#define QUEUED_FDS (2 * PROTO_MESSAGE_FDS)

static uint8_t shared[READ_BYTES];

static int printf_like(3, 4)
	fault(struct inbox_fault *ret, const char *code, const char *format, ...)
{
	va_list ap;

	ret->code = code;
	va_start(ap, format);
	vsnprintf(ret->message, sizeof(ret->message), format, ap);
	va_end(ap);
	return INBOX_E_FAULT;
}

void inbox_init(struct inbox *i, struct account *account)
{
	*i = (struct inbox){.account = account};
	buf_init(&i->kept, PROTO_MESSAGE_BYTES + READ_BYTES);
	scan_init(&i->scan, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	fdqueue_init(&i->fds, QUEUED_FDS);
}

static void give_fds(struct inbox *i, unsigned n)
{
	n = n < i->charged_fds ? n : i->charged_fds;
	account_give_one(i->account, ACCOUNT_FDS, n);
	i->charged_fds -= n;
}

static void drop_kept(struct inbox *i)
{
	buf_deinit(&i->kept);
	account_give_one(i->account, ACCOUNT_BYTES, i->charged);
	i->charged = 0;
}

void inbox_deinit(struct inbox *i)
{
	fdqueue_deinit(&i->fds);
	give_fds(i, i->charged_fds);
	drop_kept(i);
}

static int refused(const struct refusal *why, struct inbox_fault *ret_fault)
{
	return fault(ret_fault, why->of_uid ? "quota" : "full",
		"%s of a message's buffer: %llu of %llu", account_kind_name(why->kind),
		(unsigned long long)why->value, (unsigned long long)why->max);
}

/* The first FREE_BYTES are the connection's: so that one whose uid has no bytes left can still be
 * told to release some. */
static int charge(struct inbox *i, size_t size, struct inbox_fault *ret_fault)
{
	struct refusal why;

	size = size > FREE_BYTES ? size - FREE_BYTES : 0;
	if (size <= i->charged)
		return 0;
	if (account_take_one(i->account, ACCOUNT_BYTES, size - i->charged, &why) != 0)
		return refused(&why, ret_fault);
	i->charged = size;
	return 0;
}

/* Those that wait for the rest of their message; then they are charged to what it asks for. */
static int charge_fds(struct inbox *i, struct inbox_fault *ret_fault)
{
	struct refusal why;

	if (i->fds.n <= i->charged_fds)
		return 0;
	if (account_take_one(i->account, ACCOUNT_FDS, i->fds.n - i->charged_fds, &why) != 0)
		return refused(&why, ret_fault);
	i->charged_fds = i->fds.n;
	return 0;
}

/* Room in the own buffer, charged. */
static int room_behind(struct inbox *i, uint8_t **ret, size_t *ret_n, struct inbox_fault *ret_fault)
{
	size_t used = buf_used(&i->kept), want = i->kept.max - used;
	size_t most = used < FREE_BYTES / 2 ? FREE_BYTES / 2 : READ_BYTES;
	int r;

	want = want < most ? want : most;
	r = charge(i, buf_size_after(&i->kept, want), ret_fault);
	if (r)
		return r;
	if (buf_reserve(&i->kept, want) < 0)
		return fault(ret_fault, "full", "out of memory");
	*ret = buf_room(&i->kept, ret_n);
	return 0;
}

int inbox_receive(struct inbox *i, int sock, struct inbox_fault *ret_fault)
{
	bool is_partial = buf_used(&i->kept) > 0;
	unsigned n_fds = i->fds.n;
	int condition = 0, r = 0;
	uint8_t *into = shared;
	size_t room = sizeof(shared);
	ssize_t n;

	if (is_partial)
		r = room_behind(i, &into, &room, ret_fault);
	if (r)
		return r;
	n = fdpass_recv(sock, into, room, MSG_DONTWAIT, &i->fds, &condition);
	if (condition == FDPASS_E_TRUNCATED)
		return fault(ret_fault, "bad_fd", "a truncated control message");
	if (condition)
		return fault(ret_fault, "bad_fd", "more than %u fds at once", QUEUED_FDS);
	if (n <= 0)
		return n < 0 ? (int)n : INBOX_END;
	/* only fds end a receive before the last byte that lies there */
	i->was_all = (size_t)n < room && i->fds.n == n_fds;
	if (is_partial)
		buf_commit(&i->kept, (size_t)n);
	else
		i->n_shared = (size_t)n;
	return 0;
}

/* The fds that a complete message names, taken from the queue. */
static int take_fds(struct inbox *i, struct inbox_message *m, struct inbox_fault *ret_fault)
{
	unsigned n;

	m->n_fds = 0;
	if (!i->scan.fd_mask)
		return 0;
	n = m->n_fds = (unsigned)__builtin_popcountll(i->scan.fd_mask);
	if (i->scan.fd_mask != (1ull << n) - 1)
		return fault(ret_fault, "bad_fd", "a message names fd indexes that are not 0 to %u",
			n - 1);
	if (n > PROTO_MESSAGE_FDS)
		return fault(ret_fault, "bad_fd", "a message with %u fds: at most %u", n,
			PROTO_MESSAGE_FDS);
	give_fds(i, n);
	if (!fdqueue_take(&i->fds, m->fds, n))
		return fault(ret_fault, "bad_fd", "a message names %u fds, but %u came with it", n,
			i->fds.n);
	return 0;
}

static int scan_fault(int r, struct inbox_fault *ret_fault)
{
	const char *code = r == SCAN_E_LONG   ? "too_large"
			   : r == SCAN_E_DEEP ? "too_deep"
					      : "bad_request";

	return fault(ret_fault, code, "message refused: %s (at most %u bytes, nested %u deep)",
		scan_strerror(r), PROTO_MESSAGE_BYTES, PROTO_DEPTH);
}

int inbox_next(struct inbox *i, struct inbox_message *ret, struct inbox_fault *ret_fault)
{
	const uint8_t *bytes = i->n_shared ? shared : buf_head(&i->kept);
	size_t n = i->n_shared ? i->n_shared : buf_used(&i->kept);
	int r;

	r = scan_step(&i->scan, bytes + i->done, n - i->done);
	if (r == SCAN_MORE)
		return INBOX_MORE;
	if (r != SCAN_DONE)
		return scan_fault(r, ret_fault);
	ret->bytes = bytes + i->done;
	ret->scan = &i->scan;
	return take_fds(i, ret, ret_fault);
}

void inbox_pop(struct inbox *i)
{
	i->done += i->scan.pos;
	scan_init(&i->scan, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
}

/* What is left in the shared buffer. */
static int keep(struct inbox *i, const uint8_t *bytes, size_t n, struct inbox_fault *ret_fault)
{
	int r;

	r = n ? charge(i, buf_size_after(&i->kept, n), ret_fault) : 0;
	if (n && r == 0 && buf_append(&i->kept, bytes, n) < 0)
		r = fault(ret_fault, "full", "out of memory");
	return r;
}

int inbox_settle(struct inbox *i, struct inbox_fault *ret_fault)
{
	size_t done = i->done, n_shared = i->n_shared;
	int r;

	i->done = 0;
	i->n_shared = 0;
	if (n_shared) {
		r = keep(i, shared + done, n_shared - done, ret_fault);
		if (r)
			return r;
	} else {
		buf_consume(&i->kept, done);
	}
	if (buf_used(&i->kept))
		return charge_fds(i, ret_fault);
	drop_kept(i);
	/* fds come with bytes, so no message will take these */
	if (i->fds.n)
		return fault(ret_fault, "bad_fd", "%u fds came that no message names", i->fds.n);
	return 0;
}
