/* What goes back, and the functions of poold-module.h that set it.
 *
 * A byte string up to PROTO_INLINE_BIN_BYTES goes in the answer; above that, in a sealed memfd. One
 * that is written in place lies in `room` or in a memfd that is mapped for writing until the
 * function is through. Every size is held against the job's max_result before memory is taken for
 * it. */
#include "daemon/worker/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/worker/job.h"
#include "daemon/worker/values.h"
#include "proto/outcome.h"
#include "proto/scan.h"
#include "proto/shm.h"
#include "proto/text.h"

/* Envelope, meas and the keys of a failure. */
#define FRAME_BYTES 256u

void result_init(struct result *res)
{
	*res = (struct result){.kind = RESULT_READY, .shm = -1};
	buf_init(&res->body, PROTO_INLINE_BYTES);
}

static void drop_shm(struct result *res)
{
	if (res->shm_p)
		shm_unmap(res->shm_p, res->shm_size);
	res->shm_p = NULL;
	res->shm = fd_close(res->shm);
}

static void clear_value(struct result *res)
{
	res->kind = RESULT_READY;
	buf_clear(&res->body);
	while (res->n_fds > 0)
		fd_close(res->fds[--res->n_fds]);
	drop_shm(res);
}

void result_reset(struct result *res)
{
	clear_value(res);
	res->is_failed = false;
}

void result_deinit(struct result *res)
{
	clear_value(res);
	free(take_ptr(res->room));
	buf_deinit(&res->body);
}

int result_attach(struct result *res, int fd)
{
	if (res->n_fds == ARRAY_SIZE(res->fds))
		return -ENOBUFS;
	res->fds[res->n_fds] = fd;
	return (int)res->n_fds++;
}

static bool is_code(const char *code)
{
	size_t n = code ? strlen(code) : 0;

	return n > 0 && n <= PROTO_NAME_BYTES &&
	       strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == n;
}

static void printf_like(3, 0)
	set_failure(struct result *res, const char *code, const char *format, va_list ap)
{
	clear_value(res);
	res->is_failed = true;
	snprintf(res->code, sizeof(res->code), "%s", is_code(code) ? code : "failed");
	vsnprintf(res->message, sizeof(res->message), format, ap);
	text_clean(res->message, strlen(res->message));
}

poold_public int poold_job_fail(poold_job *job, const char *code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_failure(&job->result, code, format, ap);
	va_end(ap);
	return -EBADMSG;
}

/* One value without ext types of ours. */
static bool is_plain_value(const void *encoded, size_t len)
{
	struct scan s;

	return scan_value(encoded, len, PROTO_VALUE_DEPTH, &s) == 0 && s.fd_mask == 0 &&
	       !s.has_future_ext;
}

poold_public int poold_job_fail_data(
	poold_job *job, const char *code, const char *message, const void *encoded, size_t len)
{
	poold_job_fail(job, code, "%s", message ? message : "");
	if (len <= PROTO_DATA_BYTES && is_plain_value(encoded, len) &&
		buf_append(&job->result.body, encoded, len) < 0)
		buf_clear(&job->result.body);
	return -EBADMSG;
}

int result_too_large(struct poold_job *job, const char *limit, uint64_t value, uint64_t max)
{
	struct bufpack p;

	poold_job_fail(job, "too_large", "The result has %llu bytes, %s allows %llu",
		(unsigned long long)value, limit, (unsigned long long)max);
	bufpack_init(&p, &job->result.body);
	bufpack_map(&p, 3);
	outcome_pack_limit(&p, limit, value, max);
	if (bufpack_error(&p) < 0)
		buf_clear(&job->result.body);
	return -EFBIG;
}

/* Nothing set so far counts any more; a failure stays. */
static int begin(poold_job *job, size_t len)
{
	if (job->result.is_failed)
		return -EALREADY;
	clear_value(&job->result);
	if (len > job->max_result)
		return result_too_large(job, "max_result", len, job->max_result);
	return 0;
}

/* A byte string that is written here, and not only passed on. */
static int begin_bytes(poold_job *job, size_t len)
{
	int r = begin(job, len);

	if (r == 0 && len > PROTO_INLINE_BIN_BYTES && len > shm_max())
		r = result_too_large(job, "RLIMIT_FSIZE", len, shm_max());
	return r;
}

/* len: of the encoding. */
static int begin_inline(poold_job *job, size_t len)
{
	int r = begin(job, len);

	if (r == 0 && len > PROTO_INLINE_BYTES)
		r = result_too_large(job, "inline_bytes", len, PROTO_INLINE_BYTES);
	return r;
}

/* fd becomes the result's; the value is the byte string in it. */
static int set_shared(struct result *res, int fd)
{
	struct bufpack p;
	int index = result_attach(res, fd);

	if (index < 0) {
		fd_close(fd);
		return index;
	}
	bufpack_init(&p, &res->body);
	bufpack_ext_fd(&p, (uint8_t)index);
	return bufpack_error(&p);
}

static int set_bin(struct result *res, const void *bytes, size_t len)
{
	struct bufpack p;

	bufpack_init(&p, &res->body);
	bufpack_bin(&p, bytes, len);
	return bufpack_error(&p);
}

poold_public int poold_job_result_bytes(poold_job *job, const void *bytes, size_t len)
{
	int r = begin_bytes(job, len);

	if (r < 0)
		return r;
	if (len <= PROTO_INLINE_BIN_BYTES)
		return set_bin(&job->result, bytes, len);
	r = shm_from_bytes("poold-result", bytes, len);
	if (r < 0)
		return r;
	job->meter.copied += len;
	return set_shared(&job->result, r);
}

poold_public int poold_job_result_text(poold_job *job, const char *text, size_t len)
{
	struct bufpack p;
	int r = begin(job, len);

	if (r == 0 && len > PROTO_INLINE_BIN_BYTES)
		r = result_too_large(
			job, "inline_bytes", len + (len > UINT16_MAX ? 5 : 3), PROTO_INLINE_BYTES);
	if (r < 0)
		return r;
	bufpack_init(&p, &job->result.body);
	bufpack_text_n(&p, text, len);
	return bufpack_error(&p);
}

poold_public int poold_job_result_encoded(poold_job *job, const void *encoded, size_t len)
{
	int r = begin_inline(job, len);

	if (r < 0)
		return r;
	if (!is_plain_value(encoded, len)) {
		poold_job_fail(job, "bad_result",
			"The function's result is not one MessagePack value, nested at most %u "
			"deep, "
			"without ext types 1 to 3",
			PROTO_VALUE_DEPTH);
		return -EINVAL;
	}
	return buf_append(&job->result.body, encoded, len);
}

static int begin_shm(struct result *res, size_t len)
{
	int r;

	res->shm = shm_new("poold-result", len);
	if (res->shm < 0)
		return take_fd(&res->shm);
	r = shm_map_write(res->shm, len, &res->shm_p);
	if (r < 0) {
		drop_shm(res);
		return r;
	}
	res->shm_size = len;
	res->kind = RESULT_SHARED;
	return 0;
}

poold_public int poold_job_result_buffer(poold_job *job, size_t len, void **ret)
{
	struct result *res = &job->result;
	int r = begin_bytes(job, len);

	if (r < 0)
		return r;
	if (len > PROTO_INLINE_BIN_BYTES) {
		r = begin_shm(res, len);
		if (r < 0)
			return r;
	} else {
		if (!res->room)
			res->room = malloc(PROTO_INLINE_BIN_BYTES);
		if (!res->room)
			return -ENOMEM;
		memset(res->room, 0, len);
		res->kind = RESULT_ROOM;
	}
	res->len = len;
	*ret = res->kind == RESULT_SHARED ? res->shm_p : res->room;
	return 0;
}

poold_public int poold_job_result_shorten(poold_job *job, size_t len)
{
	struct result *res = &job->result;

	if (res->kind == RESULT_READY || len > res->len)
		return -EINVAL;
	res->len = len;
	return 0;
}

static int take_input_fd(poold_job *job, unsigned index)
{
	int fd;

	if (job->result.n_fds == ARRAY_SIZE(job->result.fds))
		return -ENOBUFS;
	fd = values_take_fd(job, index);
	return fd < 0 ? fd : result_attach(&job->result, fd);
}

/* Gives every ext 1 in the value's encoding the index of its fd in the result. */
static int take_input_fds(poold_job *job, uint8_t *encoded, size_t len)
{
	struct cursor c = cursor_of(encoded, len);
	int index_of[PROTO_PACKET_FDS];

	memset(index_of, -1, sizeof(index_of));
	while (!cursor_at_end(&c)) {
		uint8_t *index = (uint8_t *)(uintptr_t)cursor_fd_index(&c);

		if (!index) {
			if (!cursor_step(&c))
				return -EINVAL;
			continue;
		}
		if (*index >= job->n_fds)
			return -EINVAL;
		if (index_of[*index] < 0) {
			index_of[*index] = take_input_fd(job, *index);
			if (index_of[*index] < 0)
				return index_of[*index];
		}
		*index = (uint8_t)index_of[*index];
	}
	return 0;
}

/* The input, with the values of other futures in their places. */
static int append_with_values(poold_job *job)
{
	struct buf *body = &job->result.body;
	struct cursor c = job->input, value;
	struct bufpack p;

	bufpack_init(&p, body);
	while (!cursor_at_end(&c)) {
		struct cursor element = c;

		if (!cursor_step(&c))
			return -EINVAL;
		element.end = c.p;
		value = element; /* the head of a container is no value by itself */
		if (cursor_peek(&element) == CURSOR_EXT && values_resolve(job, element, &value) < 0)
			return poold_job_fail(
				job, "bad_request", "A value of the input cannot be read");
		bufpack_raw(&p, value.p, cursor_len(&value));
	}
	if (bufpack_error(&p) == -ENOBUFS)
		return result_too_large(job, "inline_bytes", body->max + 1, PROTO_INLINE_BYTES);
	if (bufpack_error(&p) < 0)
		return bufpack_error(&p);
	if (scan_value(buf_head(body), buf_used(body), PROTO_VALUE_DEPTH, NULL) == 0)
		return 0;
	return poold_job_fail(
		job, "bad_result", "The result nests deeper than %u", PROTO_VALUE_DEPTH);
}

poold_public int poold_job_result_input(poold_job *job)
{
	struct result *res = &job->result;
	const void *bytes;
	size_t n;
	int r;

	/* one that was long for the client's message is long for the answer */
	if (cursor_peek(&job->input) == CURSOR_BIN &&
		cursor_len(&job->input) > PROTO_INLINE_BYTES &&
		values_bytes(job, job->input, &bytes, &n) == 0)
		return poold_job_result_bytes(job, bytes, n);
	/* a byte string in shared memory counts with its own bytes */
	if (cursor_peek(&job->input) == CURSOR_EXT &&
		values_bytes(job, job->input, &bytes, &n) == 0)
		r = begin(job, n);
	else
		r = begin_inline(job, cursor_len(&job->input));
	if (r < 0)
		return r;
	r = job->n_values ? append_with_values(job)
			  : buf_append(&res->body, job->input.p, cursor_len(&job->input));
	if (r < 0)
		return r;
	r = take_input_fds(job, res->body.data + res->body.head, buf_used(&res->body));
	if (r == -ENOBUFS)
		return poold_job_fail(job, "too_large",
			"The result has more than %u byte strings in shared memory",
			PROTO_RESULT_FDS);
	return r;
}

static int finish_shared(poold_job *job)
{
	struct result *res = &job->result;
	int r = 0;

	if (res->len <= PROTO_INLINE_BIN_BYTES) {
		r = set_bin(res, res->shm_p, res->len);
		drop_shm(res);
		return r;
	}
	shm_unmap(res->shm_p, res->shm_size);
	res->shm_p = NULL;
	if (res->len < res->shm_size && ftruncate(res->shm, (off_t)res->len) < 0)
		r = -errno;
	if (r == 0)
		r = shm_seal(res->shm);
	return r < 0 ? r : set_shared(res, take_fd(&res->shm));
}

void result_finish(poold_job *job)
{
	struct result *res = &job->result;
	int r = 0;

	if (res->kind == RESULT_ROOM)
		r = set_bin(res, res->room, res->len);
	else if (res->kind == RESULT_SHARED)
		r = finish_shared(job);
	res->kind = RESULT_READY;
	if (r < 0)
		poold_job_fail(job, "internal", "The result cannot be sent: %s", strerror(-r));
}

static void pack_body(struct bufpack *p, const struct result *res)
{
	if (buf_used(&res->body) > 0)
		bufpack_raw(p, buf_head(&res->body), buf_used(&res->body));
	else
		bufpack_nil(p);
}

void result_pack(struct bufpack *p, const struct poold_job *job)
{
	const struct result *res = &job->result;

	if (!res->is_failed) {
		bufpack_nil(p);
		bufpack_array(p, 2);
		pack_body(p, res);
		meter_pack(p, &job->meter);
		return;
	}
	bufpack_array(p, 3);
	bufpack_text(p, res->code);
	bufpack_text(p, res->message);
	bufpack_map(p, 2);
	bufpack_text(p, "data");
	pack_body(p, res);
	bufpack_text(p, "meas");
	meter_pack(p, &job->meter);
	bufpack_nil(p);
}

size_t result_pack_len(const struct result *res)
{
	return FRAME_BYTES + buf_used(&res->body) +
	       (res->is_failed ? sizeof(res->code) + sizeof(res->message) : 0);
}
