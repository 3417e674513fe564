#include "client/poolctl/stream.h"

#include <errno.h>
#include <string.h>

#include "client/poolctl/json.h"
#include "client/poolctl/output.h"

#define PIECE_BYTES (256u * 1024u)
/* A long poll: a request that waits costs the daemon little, but not for ever. */
#define FOLLOW_US 300000000u

static int ask(struct stream *s);

static void print_piece(struct stream *s, const void *bytes, size_t len)
{
	if (output_is_json())
		output_document(json_pack("{s:I, s:s, s:I, s:o}", "id", (json_int_t)s->id, "stream",
			s->name, "offset", (json_int_t)s->offset, "data",
			json_from_bytes(bytes, len)));
	else if (s->to_stderr)
		output_stderr(bytes, len);
	else
		output_bytes(bytes, len);
	output_flush();
}

/* The answer is [bytes, eof]. */
static bool take_piece(poold_reply *reply, struct value *ret_bytes, bool *ret_eof)
{
	struct value v;
	uint32_t n;

	if (!value_of_reply(&v, reply) || !cursor_array(&v.c, &n) || n != 2)
		return false;
	*ret_bytes = v;
	return cursor_skip(&v.c, &ret_bytes->c) && cursor_bool(&v.c, ret_eof);
}

static int on_piece(poold_reply *reply, void *userdata)
{
	struct stream *s = userdata;
	const void *bytes;
	struct value piece;
	size_t len;
	bool eof;

	if (poold_reply_get_error(reply, NULL, NULL) == 1) {
		s->refusal = poold_reply_ref(reply);
		s->over = true;
		return 0;
	}
	if (!take_piece(reply, &piece, &eof) || !value_bytes(&piece, &bytes, &len)) {
		s->error = -EPROTO;
		s->over = true;
		return 0;
	}
	if (len > 0) {
		print_piece(s, bytes, len);
		s->offset += len;
		s->any = true;
	}
	s->over = eof || (len == 0 && !s->follow) || output_has_failed();
	if (!s->over)
		s->error = ask(s);
	s->over |= s->error < 0;
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
	bufpack_map(&p, 2);
	bufpack_text(&p, "stream");
	bufpack_text(&p, s->name);
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

void stream_deinit(struct stream *s)
{
	s->refusal = poold_reply_unref(s->refusal);
}
