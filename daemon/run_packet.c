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

/* Msgid and ID are written in full width, so that of runs which differ in nothing else one is
 * copied from the other. */
#define MSGID_AT 2u /* behind the heads of the message and its type */
#define ID_AT	 4u /* behind the map's head and the key */

static void pack_head(struct bufpack *p, const struct future *f)
{
	uint8_t *at = bufpack_open(p, 12);

	if (!at)
		return;
	at = encode_array(at, 4);
	at = encode_uint(at, RPC_REQUEST);
	at = encode_u32(at, 0xce, f->run->msgid);
	at = encode_key(at, "run");
	at = encode_array(at, 3);
	bufpack_close(p, at);
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
	const char *trace = future_extra(f) ? future_extra(f)->trace : NULL;
	unsigned n = 4u + (f->timeout_us > 0) + (trace != NULL) + f->is_each + has_values;
	uint8_t *at = bufpack_open(p, 1 + 3 + 8 + 4 + 11 + 4 * ENCODE_UINT_BYTES);

	if (!at)
		return;
	at = encode_map(at, n);
	at = encode_key(at, "id");
	at = encode_u64(at, 0xcf, f->id);
	at = encode_key(at, "attempt");
	at = encode_uint(at, f->run->attempt);
	at = encode_key(at, "uid");
	at = encode_uint(at, future_uid(f));
	at = encode_key(at, "max_result");
	at = encode_uint(at, answer_max_result(f));
	bufpack_close(p, at);
	if (f->timeout_us > 0)
		bufpack_field_seconds(p, "timeout", f->timeout_us);
	if (trace)
		bufpack_field_text(p, "trace", trace);
	if (f->is_each)
		bufpack_field_bool(p, "each", true);
	if (has_values)
		bufpack_text(p, "values");
}

static void collect_fds(const struct payload *input, struct run_fds *fds)
{
	for (; fds->n < input->n_fds; fds->n++)
		fds->fds[fds->n] = payload_memfds(input)->fds[fds->n];
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
	struct moved in = future_in(f);
	const char *limit;
	int r;

	if (run_values_exceed(&v, &limit, &number, &max))
		return RUN_PACKET_E_LARGE;
	future_terms(f)->object_bytes = v.payload_bytes;
	r = run_values_pack(values, f, v.n, fds);
	if (r == 0 && others + buf_used(values) > PROTO_PACKET_BYTES) {
		in.copied_bytes += buf_used(values);
		future_set_in(f, &in);
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

/* An input up to this is copied sooner than it is sent as a piece of its own. */
#define COPY_BYTES 4096u

/* Beside its input. */
#define RUN_BYTES (PROTO_NAME_BYTES + PROTO_TRACE_BYTES + 256u)
static_assert(POOL_PACK_BYTES + POOL_PACK_JOBS * RUN_BYTES <= PROTO_PACKET_BYTES,
	"what shares a packet fits");
static_assert(POOL_PACK_JOBS <= FDPASS_SENDS, "all packets go at once");

/* Where a run lies in the packet: head, input, meta. */
struct packed_run {
	const struct future *f;
	size_t at;
	size_t head_len;
	size_t meta_len;
};

/* Do they differ in nothing but msgid, ID and input? */
static bool are_alike(const struct future *f, const struct future *g)
{
	return f->function == g->function && f->account == g->account &&
	       f->run->result_bytes == g->run->result_bytes && f->run->attempt == g->run->attempt &&
	       f->timeout_us == g->timeout_us && f->is_each == g->is_each && !future_extra(f) &&
	       !future_extra(g);
}

static void pack_run(struct bufpack *p, const struct future *f, struct packed_run *ret)
{
	const struct payload *input = f->input;
	struct packed_run run = {.f = f, .at = buf_used(p->buf)};

	pack_head(p, f);
	run.head_len = buf_used(p->buf) - run.at;
	bufpack_raw(p, input->bytes, input->len);
	pack_meta(p, f, false);
	run.meta_len = buf_used(p->buf) - run.at - run.head_len - input->len;
	*ret = run;
}

/* By the one before. */
static void copy_run(struct bufpack *p, const struct future *f, struct packed_run *r)
{
	const struct payload *input = f->input;
	size_t len = r->head_len + input->len + r->meta_len;
	uint8_t *at = bufpack_open(p, len), *meta;
	const uint8_t *like = buf_head(p->buf) + r->at;

	if (!at)
		return;
	meta = encode_bytes(encode_bytes(at, like, r->head_len), input->bytes, input->len);
	encode_bytes(meta, like + r->head_len + r->f->input->len, r->meta_len);
	encode_u32(at + MSGID_AT, 0xce, f->run->msgid);
	encode_u64(meta + ID_AT, 0xcf, f->id);
	bufpack_close(p, at + len);
	r->f = f;
	r->at = buf_used(p->buf) - len;
}

/* Those that bring nothing along, packet behind packet: their small inputs are copied, since one
 * piece costs less than many. Where each packet begins; how many there are. */
static unsigned pack_all(
	struct bufpack *p, struct future *const *jobs, unsigned n, size_t at[POOL_PACK_JOBS])
{
	struct packed_run run;
	unsigned n_packets = 1;

	at[0] = buf_used(p->buf);
	pack_run(p, jobs[0], &run);
	for (unsigned i = 1; i < n; i++) {
		if (jobs[i]->run->place == 0)
			at[n_packets++] = buf_used(p->buf);
		if (are_alike(jobs[i], run.f))
			copy_run(p, jobs[i], &run);
		else
			pack_run(p, jobs[i], &run);
	}
	return n_packets;
}

/* How many jobs are in the first so many packets. */
static unsigned n_jobs_in(unsigned n_packets, struct future *const *jobs, unsigned n)
{
	unsigned i = 0;

	for (; i < n; i++)
		if (jobs[i]->run->place == 0 && n_packets-- == 0)
			break;
	return i;
}

static int send_all(int fd, struct buf *b, struct future *const *jobs, unsigned n, unsigned *ret_n)
{
	struct iovec iov[POOL_PACK_JOBS];
	size_t at[POOL_PACK_JOBS];
	unsigned n_packets;
	struct bufpack p;
	int r;

	buf_clear(b);
	bufpack_init(&p, b);
	n_packets = pack_all(&p, jobs, n, at);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	for (unsigned i = 0; i < n_packets; i++) {
		size_t end = i + 1 < n_packets ? at[i + 1] : buf_used(b);

		iov[i] = (struct iovec){(void *)(buf_head(b) + at[i]), end - at[i]};
	}
	r = fdpass_send_packets(fd, iov, n_packets, MSG_DONTWAIT);
	if (r < 0)
		return r;
	*ret_n = (unsigned)r < n_packets ? n_jobs_in((unsigned)r, jobs, n) : n;
	return 0;
}

static bool brings_nothing(const struct future *f)
{
	const struct payload *input = f->input;

	return !input->n_fds && input->len <= COPY_BYTES && !edges_next_input(f, NULL);
}

int run_packets_send(int fd, struct buf *b, struct future *const *jobs, unsigned n, unsigned *ret_n)
{
	int r;

	if (n > 1 || brings_nothing(jobs[0]))
		return send_all(fd, b, jobs, n, ret_n);
	r = send_one(fd, b, jobs[0]);
	*ret_n = r == 0;
	return r;
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
