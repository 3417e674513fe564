/* Chunks in order of sending. Small answers share a chunk; a piece of a memfd is a chunk that pins
 * the future it belongs to and is read, 64 KiB at a time, only when the socket has room: a client
 * that does not read costs no memory for it. A message that carries fds starts a chunk of its own,
 * since its fds must go with the sendmsg() whose first byte is its own.
 *
 * What is charged is the memory of the chunks, not the bytes in use: else many small messages
 * between memfds would hold far more than they are charged for.
 *
 * fds in flight count against the daemon for all its clients, so at most PROTO_UNREAD_FDS lie
 * unread in one socket: before more are sent, SIOCOUTQ must say that the peer has read everything.
 * They stay in flight when our end closes, and it is only by our end that one can look.
 */
#include "daemon/outbox.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/payload.h"
#include "proto/fdpass.h"

#define CHUNK_BYTES (16u * 1024u)
/* Behind fds or a memfd: as a rule the end of that message and the head of the next. */
#define BETWEEN_BYTES 512u
#define PIECE_BYTES   (64u * 1024u)
#define IOV_MAX_SEND  16
/* A client that reads as fast as we write lets others have their turn after so many sends: the next
 * edge of writability goes on. */
#define SENDS_A_FLUSH 32

struct outbox_chunk {
	TAILQ_ENTRY(outbox_chunk) in_outbox;
	struct future *future; /* pinned: it has the fds, or file_fd; NULL: neither */
	unsigned n_fds;	       /* to go with the first byte */
	int file_fd;	       /* -1: bytes[] */
	uint64_t file_pos, file_end;
	size_t pos, len, size;
	uint8_t bytes[];
};

/* Most outboxes are empty after each turn: one chunk waits for the next that needs one. */
static struct outbox_chunk *spare;

static struct outbox_chunk *chunk_take(size_t size)
{
	if (spare && size == CHUNK_BYTES)
		return take_ptr(spare);
	return malloc(sizeof(*spare) + size);
}

static void chunk_give(struct outbox_chunk *c)
{
	if (spare || c->size != CHUNK_BYTES)
		free(c);
	else
		spare = c;
}

void outbox_init(struct outbox *o, struct core *core, struct account *account)
{
	*o = (struct outbox){.core = core, .account = account};
	TAILQ_INIT(&o->chunks);
}

static void uncharge(struct outbox *o)
{
	uint64_t need = o->bytes > OUTBOX_FREE_BYTES ? o->bytes - OUTBOX_FREE_BYTES : 0;

	if (o->charged > need) {
		account_give_one(o->account, ACCOUNT_BYTES, o->charged - need);
		o->charged = need;
	}
}

static int charge(struct outbox *o, size_t more)
{
	uint64_t sum = o->bytes + more;
	uint64_t need = sum > OUTBOX_FREE_BYTES ? sum - OUTBOX_FREE_BYTES : 0;

	if (need <= o->charged)
		return 0;
	if (account_take_one(o->account, ACCOUNT_BYTES, need - o->charged, NULL) != 0)
		return OUTBOX_E_QUOTA;
	o->charged = need;
	return 0;
}

static void chunk_remove(struct outbox *o, struct outbox_chunk *c)
{
	TAILQ_REMOVE(&o->chunks, c, in_outbox);
	o->bytes -= sizeof(*c) + c->size;
	if (c->future)
		core_unpin(o->core, c->future);
	chunk_give(c);
}

static void all_read(struct outbox *o)
{
	account_give_one(o->account, ACCOUNT_UNREAD_FDS, o->unread_fds);
	o->unread_fds = 0;
}

void outbox_drop(struct outbox *o)
{
	struct outbox_chunk *c;

	while ((c = TAILQ_FIRST(&o->chunks)))
		chunk_remove(o, c);
	uncharge(o);
}

void outbox_deinit(struct outbox *o)
{
	outbox_drop(o);
	all_read(o);
}

bool outbox_is_empty(const struct outbox *o)
{
	return TAILQ_EMPTY(&o->chunks);
}

/* f may be NULL. */
static int chunk_add(struct outbox *o, size_t size, struct future *f, struct outbox_chunk **ret)
{
	struct outbox_chunk *c;
	int r;

	r = charge(o, sizeof(*c) + size);
	if (r)
		return r;
	c = chunk_take(size);
	if (!c) {
		uncharge(o);
		return -ENOMEM;
	}
	*c = (struct outbox_chunk){.file_fd = -1, .size = size, .future = f};
	if (f)
		core_pin(f);
	o->bytes += sizeof(*c) + size;
	TAILQ_INSERT_TAIL(&o->chunks, c, in_outbox);
	*ret = c;
	return 0;
}

int outbox_begin(struct outbox *o, struct future *carrier, size_t n)
{
	struct outbox_chunk *c;
	int r;

	o->begin = TAILQ_LAST(&o->chunks, outbox_chunks);
	o->begin_len = o->begin ? o->begin->len : 0;
	if (!carrier || !future_value(carrier)->n_fds)
		return 0;
	r = chunk_add(o, n, carrier, &c);
	if (r == 0)
		c->n_fds = future_value(carrier)->n_fds;
	return r;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

int outbox_bytes(struct outbox *o, const void *bytes, size_t n)
{
	struct outbox_chunk *c = TAILQ_LAST(&o->chunks, outbox_chunks);
	int r;

	if (!c || c->file_fd >= 0 || c->size - c->len < n) {
		r = chunk_add(o, larger(n, c && c->future ? BETWEEN_BYTES : CHUNK_BYTES), NULL, &c);
		if (r)
			return r;
	}
	memcpy(c->bytes + c->len, bytes, n);
	c->len += n;
	return 0;
}

int outbox_file(struct outbox *o, struct future *f, int fd, uint64_t len)
{
	struct outbox_chunk *c;
	int r;

	if (len == 0)
		return 0;
	r = chunk_add(o, 0, f, &c);
	if (r)
		return r;
	c->file_fd = fd;
	c->file_end = len;
	return 0;
}

void outbox_undo(struct outbox *o)
{
	struct outbox_chunk *c;

	while ((c = TAILQ_LAST(&o->chunks, outbox_chunks)) && c != o->begin)
		chunk_remove(o, c);
	if (c)
		c->len = o->begin_len;
	uncharge(o);
}

/* The kernel tells of writability just before it gives back the last byte of a buffer that was
 * read: at that edge, the last one, 1 is left. One that nobody read counts some hundreds. */
#define UNREAD_NOTHING 1

bool outbox_look(struct outbox *o, int sock)
{
	int unread = 0;

	if (o->unread_fds && ioctl(sock, SIOCOUTQ, &unread) == 0 && unread <= UNREAD_NOTHING)
		all_read(o);
	return o->unread_fds > 0;
}

/* May the fds of the next message go? If so they are charged; if not, the peer has to read first.
 */
static bool fds_have_room(struct outbox *o, int sock, unsigned n)
{
	if (outbox_look(o, sock) && o->unread_fds + n > PROTO_UNREAD_FDS)
		return false;
	o->is_blocked_by_share = account_take_one(o->account, ACCOUNT_UNREAD_FDS, n, NULL) != 0;
	return !o->is_blocked_by_share;
}

static ssize_t send_file(struct outbox_chunk *c, int sock)
{
	static uint8_t piece[PIECE_BYTES];
	uint64_t left = c->file_end - c->file_pos;
	struct iovec iov = {piece, 0};
	ssize_t n;

	n = pread(c->file_fd, piece, left < PIECE_BYTES ? left : PIECE_BYTES, (off_t)c->file_pos);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	iov.iov_len = (size_t)n;
	return fdpass_send(sock, &iov, 1, MSG_DONTWAIT, NULL, 0);
}

/* Sends what stands first, as much as one call takes. */
static ssize_t send_bytes(struct outbox *o, int sock)
{
	struct outbox_chunk *first = TAILQ_FIRST(&o->chunks), *c;
	struct iovec iov[IOV_MAX_SEND];
	unsigned n_fds = first->n_fds;
	int n = 0;
	ssize_t sent;

	for (c = first; c && n < IOV_MAX_SEND; c = TAILQ_NEXT(c, in_outbox)) {
		if (c->file_fd >= 0 || (c != first && c->n_fds))
			break;
		iov[n++] = (struct iovec){c->bytes + c->pos, c->len - c->pos};
	}
	sent = fdpass_send(sock, iov, n, MSG_DONTWAIT,
		n_fds ? payload_memfds(future_value(first->future))->fds : NULL, n_fds);
	if (sent > 0 && n_fds) {
		o->unread_fds += n_fds;
		first->n_fds = 0;
	} else if (n_fds) {
		account_give_one(o->account, ACCOUNT_UNREAD_FDS, n_fds);
	}
	return sent;
}

/* What was sent is gone from the front. */
static void advance(struct outbox *o, size_t n)
{
	struct outbox_chunk *c;

	while ((c = TAILQ_FIRST(&o->chunks))) {
		size_t step = c->len - c->pos < n ? c->len - c->pos : n;

		c->pos += step;
		n -= step;
		if (c->pos < c->len || c->file_fd >= 0)
			return;
		chunk_remove(o, c);
	}
}

static void advance_file(struct outbox *o, struct outbox_chunk *c, size_t n)
{
	c->file_pos += n;
	cost_copied_out(c->future, n);
	if (c->file_pos == c->file_end)
		chunk_remove(o, c);
}

int outbox_flush(struct outbox *o, int sock)
{
	struct outbox_chunk *c;
	int n_sends = 0;
	ssize_t n;

	o->is_blocked_by_share = false;
	while ((c = TAILQ_FIRST(&o->chunks)) && n_sends++ < SENDS_A_FLUSH) {
		if (c->n_fds && !fds_have_room(o, sock, c->n_fds))
			break;
		n = c->file_fd >= 0 ? send_file(c, sock) : send_bytes(o, sock);
		if (n == -EAGAIN || n == -ENOBUFS || n == -ETOOMANYREFS || n == -EINTR)
			break;
		if (n < 0)
			return (int)n;
		if (c->file_fd >= 0)
			advance_file(o, c, (size_t)n);
		else
			advance(o, (size_t)n);
	}
	uncharge(o);
	return c ? OUTBOX_AGAIN : 0;
}
