#include "client/poolctl/stream.h"

#include "client/poold-request.h"

#include <errno.h>
#include <string.h>

#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"

#define PIECE_BYTES (256u * 1024u)
/* A long poll: a request that waits costs the daemon little, but not for ever. */
#define FOLLOW_US 300000000u

static int ask(struct stream *s);

/* How many bytes at the end are the beginning of a UTF-8 character. */
static size_t cut_character(const uint8_t *bytes, size_t len)
{
	size_t n, need;

	for (n = 1; n <= STREAM_TAIL_MAX && n <= len; n++) {
		uint8_t b = bytes[len - n];

		if ((b & 0xc0) == 0x80)
			continue;
		need = b >= 0xf5 ? 1 : b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc2 ? 2 : 1;
		return need > n ? n : 0;
	}
	return 0;
}

/* at: where in the stream. */
static void print_document(const struct stream *s, uint64_t at, const void *bytes, size_t len)
{
	output_document(json_pack("{s:I, s:s, s:I, s:I, s:o}", "id", (json_int_t)s->id, "stream",
		s->name, "attempt", (json_int_t)s->attempt, "offset", (json_int_t)at, "data",
		json_from_bytes(bytes, len)));
}

/* A character that is cut waits for the next piece, so that text stays text. */
static int print_text(struct stream *s, const void *bytes, size_t len)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	int r;

	r = buf_append(&b, s->tail, s->tail_len);
	if (r == 0)
		r = buf_append(&b, bytes, len);
	if (r == 0) {
		uint64_t at = s->offset - s->tail_len;

		len = buf_used(&b);
		s->tail_len = cut_character(buf_head(&b), len);
		len -= s->tail_len;
		memcpy(s->tail, buf_head(&b) + len, s->tail_len);
		if (len > 0)
			print_document(s, at, buf_head(&b), len);
	}
	buf_deinit(&b);
	return r;
}

/* Nothing more comes. */
static void print_tail(struct stream *s)
{
	if (s->tail_len > 0)
		print_document(s, s->offset - s->tail_len, s->tail, s->tail_len);
	s->tail_len = 0;
	output_flush();
}

static int take_bytes(struct stream *s, const void *bytes, size_t len)
{
	int r = 0;

	if (s->into)
		return buf_append(s->into, bytes, len);
	if (output_is_json())
		r = print_text(s, bytes, len);
	else if (s->to_stderr)
		output_stderr(bytes, len);
	else
		output_bytes(bytes, len);
	output_flush();
	return r;
}

/* The answer is [bytes, eof, attempt]. */
static bool take_piece(
	poold_reply *reply, struct value *ret_bytes, bool *ret_eof, uint64_t *ret_attempt)
{
	struct value v;
	uint32_t n;

	if (!value_of_reply(&v, reply) || !cursor_array(&v.c, &n) || n != 3)
		return false;
	*ret_bytes = v;
	return cursor_skip(&v.c, &ret_bytes->c) && cursor_bool(&v.c, ret_eof) &&
	       cursor_uint(&v.c, ret_attempt);
}

/* The run that was read is over, and another one followed: from its beginning. */
static void go_on_with(struct stream *s, uint64_t attempt)
{
	print_tail(s);
	s->attempt = attempt;
	s->offset = 0;
	if (s->tells_attempts && !output_is_json())
		output_say("attempt %llu", (unsigned long long)attempt);
}

/* What an answer says; s->over if it was the last one. */
static int take_answer(struct stream *s, poold_reply *reply)
{
	const void *bytes;
	struct value piece;
	uint64_t attempt;
	size_t len;
	bool eof;
	int r = 0;

	if (poold_reply_get_error(reply, NULL, NULL) == 1) {
		s->refusal = poold_reply_ref(reply);
		s->over = true;
		return 0;
	}
	if (!take_piece(reply, &piece, &eof, &attempt) || !value_bytes(&piece, &bytes, &len))
		return -EPROTO;
	if (!s->attempt)
		s->attempt = attempt;
	if (len > 0) {
		r = take_bytes(s, bytes, len);
		s->offset += len;
		s->any = true;
	}
	if (eof && s->follow && attempt > s->attempt) {
		go_on_with(s, attempt);
		eof = false;
	}
	s->over = eof || (len == 0 && !s->follow) || output_has_failed();
	return r;
}

static int on_piece(poold_reply *reply, void *userdata)
{
	struct stream *s = userdata;

	s->error = take_answer(s, reply);
	if (s->error == 0 && !s->over)
		s->error = ask(s);
	s->over |= s->error < 0;
	if (s->over)
		print_tail(s);
	return 0;
}

static int ask(struct stream *s)
{
	poold_request_args args = POOLD_REQUEST_INIT;
	struct buf b = BUF_INIT(256);
	struct bufpack p;
	int r;

	bufpack_init(&p, &b);
	bufpack_array(&p, 4);
	bufpack_uint(&p, s->id);
	bufpack_uint(&p, s->offset);
	bufpack_uint(&p, PIECE_BYTES);
	bufpack_map(&p, 3);
	bufpack_text(&p, "stream");
	bufpack_text(&p, s->name);
	bufpack_text(&p, "attempt");
	bufpack_uint(&p, s->attempt);
	bufpack_text(&p, "timeout");
	bufpack_seconds(&p, s->follow ? FOLLOW_US : 0);
	r = bufpack_error(&p);
	if (r == 0) {
		args.params = buf_head(&b);
		args.params_len = buf_used(&b);
		r = poold_request_async(s->ctl->client, "read", &args, on_piece, s);
	}
	buf_deinit(&b);
	return r;
}

int stream_start(struct stream *s)
{
	return ask(s);
}

int stream_read(struct stream *s)
{
	int r = stream_start(s);

	while (r >= 0 && !s->over)
		r = loop_turn(s->ctl, -1, POOLD_FOREVER);
	return r < 0 ? r : s->error;
}

void stream_deinit(struct stream *s)
{
	s->refusal = poold_reply_unref(s->refusal);
}
