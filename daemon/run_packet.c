#include "daemon/run_packet.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "daemon/answer.h"
#include "daemon/extra.h"
#include "daemon/core/edge.h"
#include "daemon/payload.h"
#include "daemon/run_values.h"
#include "proto/cursor.h"
#include "proto/fdpass.h"
#include "proto/rpc.h"

/* With the heads of the map. */
#define VALUES_BYTES (PROTO_VALUES_BYTES + 64u * PROTO_JOB_VALUES)

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

/* Its last key has no value yet, if there are values. */
static void pack_meta(struct bufpack *p, const struct future *f, bool has_values)
{
	const char *trace = f->extra ? f->extra->trace : NULL;

	bufpack_map(p, 4u + (f->timeout_us > 0) + (trace != NULL) + f->is_each + has_values);
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
	if (f->is_each) {
		bufpack_text_n(p, "each", 4);
		bufpack_bool(p, true);
	}
	if (has_values)
		bufpack_text_n(p, "values", 6);
}

static void collect_fds(const struct payload *input, struct run_fds *fds)
{
	for (; fds->n < input->n_fds; fds->n++)
		fds->fds[fds->n] = input->memfds->fds[fds->n];
	if (payload_is_spilled(input))
		fds->fds[fds->n++] = payload_spill_fd(input);
}

/* Behind the meta: the values themselves, or what stands for them. */
static int add_values(struct bufpack *p, struct buf *values, struct future *f, struct run_fds *fds)
{
	const struct payload *input = f->input;
	size_t others = buf_used(p->buf) + (payload_is_spilled(input) ? 0 : input->len);
	struct run_values v = run_values_of(f);
	uint64_t number, max;
	const char *limit;
	int r;

	if (run_values_exceed(&v, &limit, &number, &max))
		return RUN_PACKET_E_LARGE;
	f->terms->object_bytes = v.payload_bytes;
	r = run_values_pack(values, f, v.n, fds);
	if (r == 0 && others + buf_used(values) > PROTO_PACKET_BYTES) {
		f->in.copied_bytes += buf_used(values);
		r = run_values_spill(p, values, fds);
		buf_clear(values);
	}
	return r == -E2BIG ? RUN_PACKET_E_LARGE : r;
}

/* With all that a run may bring along; nothing is copied. */
static int send_one(int fd, struct buf *b, struct future *f)
{
	cleanup(buf_deinit) struct buf values = BUF_INIT(VALUES_BYTES);
	cleanup(run_fds_deinit) struct run_fds fds;
	const struct payload *input = f->input;
	bool is_inline = !payload_is_spilled(input), has_values = edges_next_input(f, NULL);
	struct iovec iov[4];
	int r = 0;
	struct bufpack p;
	size_t head_len;
	ssize_t n;

	run_fds_init(&fds);
	buf_clear(b);
	bufpack_init(&p, b);
	pack_head(&p, f);
	if (!is_inline)
		pack_spilled_input(&p, input);
	head_len = buf_used(b);
	pack_meta(&p, f, has_values);
	collect_fds(input, &fds);
	if (has_values)
		r = add_values(&p, &values, f, &fds);
	if (r != 0 || bufpack_error(&p) < 0)
		return r != 0 ? r : bufpack_error(&p);
	iov[0] = (struct iovec){(void *)buf_head(b), head_len};
	iov[1] = (struct iovec){(void *)input->bytes, is_inline ? input->len : 0};
	iov[2] = (struct iovec){(void *)(buf_head(b) + head_len), buf_used(b) - head_len};
	iov[3] = (struct iovec){(void *)buf_head(&values), buf_used(&values)};
	n = fdpass_send(fd, iov, 3 + has_values, MSG_DONTWAIT, fds.fds, fds.n);
	return n < 0 ? (int)n : 0;
}

/* Beside its input. */
#define RUN_BYTES (PROTO_NAME_BYTES + PROTO_TRACE_BYTES + 256u)
static_assert(POOL_PACK_BYTES + POOL_PACK_JOBS * RUN_BYTES <= PROTO_PACKET_BYTES,
	"what shares a packet fits");

/* Several: their small inputs are copied, since one piece costs less than many. */
static int send_all(int fd, struct buf *b, struct future *const *jobs, unsigned n)
{
	struct bufpack p;
	struct iovec iov;
	ssize_t sent;

	buf_clear(b);
	bufpack_init(&p, b);
	for (unsigned i = 0; i < n; i++) {
		const struct payload *input = jobs[i]->input;

		pack_head(&p, jobs[i]);
		bufpack_raw(&p, input->bytes, input->len);
		pack_meta(&p, jobs[i], false);
	}
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	iov = (struct iovec){(void *)buf_head(b), buf_used(b)};
	sent = fdpass_send(fd, &iov, 1, MSG_DONTWAIT, NULL, 0);
	return sent < 0 ? (int)sent : 0;
}

int run_packet_send(int fd, struct buf *b, struct future *const *jobs, unsigned n)
{
	return n == 1 ? send_one(fd, b, jobs[0]) : send_all(fd, b, jobs, n);
}

static int send_notification(int fd, struct buf *b, const char *method, uint64_t id)
{
	struct iovec iov;
	struct bufpack p;
	ssize_t n;

	buf_clear(b);
	bufpack_init(&p, b);
	rpc_pack_notification(&p, method);
	bufpack_array(&p, 1);
	bufpack_uint(&p, id);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	iov = (struct iovec){(void *)buf_head(b), buf_used(b)};
	n = fdpass_send(fd, &iov, 1, MSG_DONTWAIT, NULL, 0);
	return n < 0 ? (int)n : 0;
}

int cancel_packet_send(int fd, struct buf *b, uint64_t id)
{
	return send_notification(fd, b, "cancel", id);
}

int forget_packet_send(int fd, struct buf *b, uint64_t id)
{
	return send_notification(fd, b, "forget", id);
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

uint64_t forget_packet_id(const uint8_t *bytes, size_t len)
{
	struct rpc m;
	uint64_t id;

	if (rpc_parse(&m, bytes, len) != 0 || m.type != RPC_NOTIFICATION ||
		!text_equal(m.method, m.method_len, "forget") || !cursor_uint(&m.params, &id))
		return 0;
	return id;
}
