#include "daemon/run_packet.h"

#include <errno.h>
#include <sys/socket.h>

#include "daemon/answer.h"
#include "daemon/extra.h"
#include "daemon/payload.h"
#include "proto/cursor.h"
#include "proto/fdpass.h"
#include "proto/rpc.h"

static void pack_head(struct bufpack *p, const struct future *f)
{
	rpc_pack_request(p, f->msgid, "run");
	bufpack_array(p, 3);
	bufpack_text(p, f->function->name);
}

/* The input's encoding travels from where it is; one that lies in a memfd is named by the next free
 * index. */
static void pack_spilled_input(struct bufpack *p, const struct payload *input)
{
	uint8_t index = (uint8_t)input->n_fds;

	bufpack_ext(p, PROTO_EXT_VALUE, &index, 1);
}

static void pack_meta(struct bufpack *p, const struct future *f)
{
	const char *trace = f->extra ? f->extra->trace : NULL;

	bufpack_map(p, 4u + (f->timeout_us > 0) + (trace != NULL));
	bufpack_text_n(p, "id", 2);
	bufpack_uint(p, f->id);
	bufpack_text_n(p, "attempt", 7);
	bufpack_uint(p, f->attempt);
	bufpack_text_n(p, "uid", 3);
	bufpack_uint(p, future_uid(f));
	bufpack_text_n(p, "max_result", 10);
	bufpack_uint(p, answer_max_result(f->pool));
	if (f->timeout_us > 0) {
		bufpack_text_n(p, "timeout", 7);
		bufpack_seconds(p, f->timeout_us);
	}
	if (trace) {
		bufpack_text_n(p, "trace", 5);
		bufpack_text(p, trace);
	}
}

static unsigned collect_fds(const struct payload *input, int fds[static PROTO_RESULT_FDS + 1])
{
	unsigned n = 0;

	for (; n < input->n_fds; n++)
		fds[n] = input->fds[n];
	if (input->spill_fd >= 0)
		fds[n++] = input->spill_fd;
	return n;
}

int run_packet_send(int fd, struct buf *b, const struct future *f)
{
	const struct payload *input = f->input;
	bool is_inline = input->spill_fd < 0;
	int fds[PROTO_RESULT_FDS + 1];
	struct iovec iov[3];
	struct bufpack p;
	size_t head_len;
	ssize_t n;

	buf_clear(b);
	bufpack_init(&p, b);
	pack_head(&p, f);
	if (!is_inline)
		pack_spilled_input(&p, input);
	head_len = buf_used(b);
	pack_meta(&p, f);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	iov[0] = (struct iovec){(void *)buf_head(b), head_len};
	iov[1] = (struct iovec){(void *)input->bytes, is_inline ? input->len : 0};
	iov[2] = (struct iovec){(void *)(buf_head(b) + head_len), buf_used(b) - head_len};
	n = fdpass_send(fd, iov, 3, MSG_DONTWAIT, fds, collect_fds(input, fds));
	return n < 0 ? (int)n : 0;
}

int cancel_packet_send(int fd, struct buf *b, uint64_t id)
{
	struct iovec iov;
	struct bufpack p;
	ssize_t n;

	buf_clear(b);
	bufpack_init(&p, b);
	rpc_pack_notification(&p, "cancel");
	bufpack_array(&p, 1);
	bufpack_uint(&p, id);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	iov = (struct iovec){(void *)buf_head(b), buf_used(b)};
	n = fdpass_send(fd, &iov, 1, MSG_DONTWAIT, NULL, 0);
	return n < 0 ? (int)n : 0;
}

bool run_packet_msgid(const uint8_t *bytes, size_t len, uint32_t *ret)
{
	struct cursor c = cursor_of(bytes, len);
	uint64_t type, msgid;
	uint32_t n;

	if (!cursor_array(&c, &n) || !cursor_uint(&c, &type) || type != RPC_REQUEST ||
		!cursor_uint(&c, &msgid))
		return false;
	*ret = (uint32_t)msgid;
	return true;
}
