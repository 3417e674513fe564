/* read: a piece of a result, or of what a command has printed so far.
 *
 * A result is read as its MessagePack encoding with each ext 1 as bin 32, so a client without fds
 * gets a value of any size in pieces. A stream is the memfd that the worker's output grows into;
 * nothing tells when a memfd grows, so while somebody waits for more it is looked at every
 * EXTRA_LOOK_US, and at the end of the job.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/attempts.h"
#include "daemon/await.h"
#include "daemon/extra.h"
#include "daemon/option.h"
#include "daemon/payload.h"
#include "daemon/request.h"
#include "daemon/workers.h"

/* The most that one answer gives. */
#define PIECE_BYTES (256u * 1024u)

struct read_order {
	uint64_t offset;
	uint64_t length;
	int stream; /* enum extra_stream; -1: the result */
	uint64_t timeout_us;
	bool has_attempt;
	uint64_t attempt; /* the run that is meant; 0: whichever it is */
};

struct reader {
	struct await await;
	struct heap_node timer;
	struct read_order order;
	uint64_t until_us;
};

/* ---- a window over an encoding ---- */

struct window {
	uint64_t pos; /* of what comes next, in the whole */
	uint64_t offset, length;
	uint8_t *bytes; /* room for length */
	size_t n;
	size_t copied; /* out of memfds */
	int error;
};

/* The part of [pos, pos + len) that the window wants: *ret_skip into it. */
static size_t overlap(const struct window *w, uint64_t len, uint64_t *ret_skip)
{
	uint64_t from = w->offset + w->n;
	uint64_t end = w->pos + len;

	if (w->n >= w->length || from < w->pos || from >= end)
		return 0;
	*ret_skip = from - w->pos;
	return end - from < w->length - w->n ? end - from : w->length - w->n;
}

static void window_bytes(struct window *w, const uint8_t *bytes, size_t len)
{
	uint64_t skip;
	size_t n = overlap(w, len, &skip);

	if (n)
		memcpy(w->bytes + w->n, bytes + skip, n);
	w->n += n;
	w->pos += len;
}

static void window_file(struct window *w, int fd, uint64_t len)
{
	uint64_t skip;
	size_t n = overlap(w, len, &skip);
	ssize_t got = n ? pread(fd, w->bytes + w->n, n, (off_t)skip) : 0;

	if (got < 0)
		w->error = -errno;
	else
		w->n += (size_t)got;
	w->copied += got > 0 ? (size_t)got : 0;
	w->pos += len;
}

static void window_element(struct window *w, const struct payload *p, struct cursor *c)
{
	const uint8_t *from = c->p;
	const uint8_t *index = cursor_fd_index(c);
	uint8_t head[5] = {0xc6};
	uint32_t n;

	if (index) {
		n = __builtin_bswap32((uint32_t)payload_memfds(p)->size[*index]);
		memcpy(head + 1, &n, sizeof(n));
		window_bytes(w, head, sizeof(head));
		window_file(w, payload_memfds(p)->fds[*index], payload_memfds(p)->size[*index]);
		return;
	}
	if (!cursor_step(c))
		c->p = c->end;
	window_bytes(w, from, (size_t)(c->p - from));
}

static void window_payload(struct window *w, const struct payload *p)
{
	cleanup_free uint8_t *loaded = NULL;
	const uint8_t *encoding;
	struct cursor c;

	if (payload_is_spilled(p) && !p->n_fds) {
		window_file(w, payload_spill_fd(p), p->len);
		return;
	}
	encoding = payload_encoding(p, &loaded);
	if (!encoding) {
		w->error = -ENOMEM;
		return;
	}
	c = cursor_of(encoding, p->len);
	while (!cursor_at_end(&c))
		window_element(w, p, &c);
}

/* ---- answers ---- */

/* attempt: 0 if nobody asked for it. */
static void answer_piece(
	struct reply_to to, const uint8_t *bytes, size_t n, bool is_eof, unsigned attempt)
{
	struct bufpack *p = reply_begin(to);

	bufpack_array(p, attempt ? 3 : 2);
	bufpack_bin(p, bytes, n);
	bufpack_bool(p, is_eof);
	if (attempt)
		bufpack_uint(p, attempt);
	reply_end();
}

static void answer_errno(struct reply_to to, int error)
{
	reply_error(to, "internal", strerror(-error));
}

static const uint8_t nil_encoding[] = {0xc0};

static void answer_result_piece(struct reply_to to, struct future *f, const struct read_order *o)
{
	static uint8_t piece[PIECE_BYTES];
	struct window w = {.offset = o->offset, .length = o->length, .bytes = piece};

	if (f->state != FUTURE_DONE) {
		reply_outcome(to, f);
		return;
	}
	if (future_value(f) && payload_expanded_bytes(future_value(f)) == UINT64_MAX) {
		reply_error(to, "too_large", "a memfd of 4 GiB or more has no form as bytes");
		return;
	}
	if (future_value(f))
		window_payload(&w, future_value(f));
	else
		window_bytes(&w, nil_encoding, sizeof(nil_encoding));
	cost_copied_out(f, w.copied);
	if (w.error)
		answer_errno(to, w.error);
	else
		answer_piece(to, piece, w.n, o->offset + w.n >= w.pos, 0);
}

/* The run that was asked for is over, and another one is meant to follow or did. */
static bool is_superseded(const struct future *f, const struct read_order *o)
{
	return o->attempt && o->attempt < attempts_current(f);
}

static void answer_stream_piece(struct reply_to to, struct future *f, const struct read_order *o)
{
	static uint8_t piece[PIECE_BYTES];
	uint64_t size = is_superseded(f, o) ? 0 : extra_output_bytes(f, o->stream);
	bool is_over = future_state_is_final(f->state) || is_superseded(f, o);
	ssize_t n = 0;

	if (o->offset < size)
		n = pread(
			future_extra(f)->output_fd[o->stream], piece, o->length, (off_t)o->offset);
	if (n < 0) {
		answer_errno(to, -errno);
		return;
	}
	is_over = is_over && o->offset + (uint64_t)n >= size;
	answer_piece(to, piece, (size_t)n, is_over, o->has_attempt ? attempts_current(f) : 0);
}

static void answer_piece_of(struct reply_to to, struct future *f, const struct read_order *o)
{
	if (o->stream >= 0)
		answer_stream_piece(to, f, o);
	else
		answer_result_piece(to, f, o);
}

static bool has_something(const struct future *f, const struct read_order *o)
{
	return future_state_is_final(f->state) || is_superseded(f, o) ||
	       (o->stream >= 0 && o->length && extra_output_bytes(f, o->stream) > o->offset);
}

/* ---- waiting for more ---- */

static void reader_write(struct pending *p)
{
	struct reader *w = container_of(p, struct reader, await.pending);
	struct future *f = await_future(&w->await);

	if (w->order.stream < 0 && !future_state_is_final(f->state))
		reply_error(await_to(&w->await), "not_ready",
			"the time-out is over and the future is not final");
	else
		answer_piece_of(await_to(&w->await), f, &w->order);
}

/* When to look again: at the end of the time-out for a result, soon for a stream, at the same time
 * for all streams. */
static void reader_set_time(struct reader *w, uint64_t now_us)
{
	uint64_t at_us = w->until_us, look_us = extra_next_look(now_us);

	if (w->order.stream >= 0 && look_us < at_us)
		at_us = look_us;
	pending_set_time(&w->await.pending, at_us);
}

static void reader_on_time(struct pending *p, uint64_t now_us)
{
	struct reader *w = container_of(p, struct reader, await.pending);

	if (now_us >= w->until_us || has_something(await_future(&w->await), &w->order))
		pending_ready(p);
	else
		reader_set_time(w, now_us);
}

const struct pending_ops reader_ops = {
	reader_write, reader_on_time, await_free, .timer_at = PENDING_TIMER_AT(struct reader)};

static void reader_wait(struct request *r, struct future *f, const struct read_order *o)
{
	struct reader *w = await_new(r, f, PENDING_READER, sizeof(*w));

	if (!w)
		return;
	w->order = *o;
	w->until_us = heap_after(r->now_us, o->timeout_us);
	reader_set_time(w, r->now_us);
}

/* ---- the request ---- */

static bool read_stream(struct request *r, const char *key, void *into)
{
	const char *word;
	size_t len;

	if (!cursor_text(&r->params, &word, &len))
		len = 0;
	if (text_equal(word, len, "stdout"))
		*(int *)into = STREAM_STDOUT;
	else if (text_equal(word, len, "stderr"))
		*(int *)into = STREAM_STDERR;
	else
		return option_refuse(r, key, "\"stdout\" or \"stderr\"");
	return true;
}

static bool read_attempt(struct request *r, const char *key, void *into)
{
	struct read_order *o = into;

	o->has_attempt = true;
	return option_number(r, key, &o->attempt);
}

static const struct option read_options[] = {
	{"attempt", read_attempt, 0},
	OPTION("stream", read_stream, struct read_order, stream),
	OPTION("timeout", option_timeout, struct read_order, timeout_us),
};

static bool read_order(struct request *r, struct read_order *o)
{
	if (!request_next(r) || !cursor_uint(&r->params, &o->offset) || !request_next(r) ||
		!cursor_uint(&r->params, &o->length)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"read takes an ID, an offset and a length in bytes");
		return false;
	}
	if (o->offset > INT64_MAX - PIECE_BYTES) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "offset %llu is beyond any value",
			(unsigned long long)o->offset);
		return false;
	}
	if (o->length > PIECE_BYTES)
		o->length = PIECE_BYTES;
	if (!option_read(r, read_options, ARRAY_SIZE(read_options), o))
		return false;
	if (o->has_attempt && o->stream < 0)
		request_fail(r, OUTCOME_E_BAD_REQUEST, "option attempt is for streams");
	return !o->has_attempt || o->stream >= 0;
}

void request_read(struct request *r)
{
	struct read_order o = {.stream = -1};
	struct future *f;
	uint64_t id;

	if (!request_id(r, &id) || !read_order(r, &o))
		return;
	f = request_find_or_fail(r, id);
	if (!f)
		return;
	if (o.stream >= 0 &&
		(!future_pool(f) || workers_config(future_pool(f))->handler != HANDLER_EXEC))
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"future %llu is no command: it has no streams", (unsigned long long)id);
	else if (o.stream >= 0 && future_extra(f) && future_extra(f)->is_own[o.stream])
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"%s of job %llu went to a file of its client's own: there is nothing of it "
			"here",
			o.stream == STREAM_STDOUT ? "stdout" : "stderr", (unsigned long long)id);
	else if (has_something(f, &o) || (o.stream >= 0 && o.timeout_us == 0))
		answer_piece_of(reply_to_request(r), f, &o);
	else if (o.timeout_us == 0)
		request_fail(r, OUTCOME_E_NOT_READY, "future %llu is %s", (unsigned long long)id,
			outcome_state_name((enum outcome_state)f->state));
	else
		reader_wait(r, f, &o);
}
