/* What goes back, and the functions of poold-module.h that set it.
 *
 * A byte string up to PROTO_INLINE_BIN_BYTES goes in the answer; above that, in a sealed memfd. One
 * that is written in place lies in `room` or in a memfd that is mapped for writing until the
 * function is through. Every size is held against the job's max_result before memory is taken for
 * it.
 *
 * The results of a job with `each` are written one behind the other into the same body: what a run
 * of the function sets, replaces or drops begins at `begin`, and the elements before that stay. A
 * failure finds room behind them, so they can go back with it. */
#include "daemon/worker/result.h"

#include <errno.h>
#include <string.h>

#include "daemon/worker/job.h"
#include "daemon/worker/values.h"
#include "proto/scan.h"
#include "proto/shm.h"

/* Of an array's head, at most. */
#define HEAD_BYTES 5u
/* What is left beside an array for code and message of a failure. */
#define FAILURE_BYTES 2048u

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

void result_clear_value(struct result *res)
{
	res->kind = RESULT_READY;
	buf_truncate(&res->body, res->begin);
	while (res->n_fds > res->begin_fds)
		fd_close(res->fds[--res->n_fds]);
	drop_shm(res);
}

void result_reset(struct result *res)
{
	res->is_array = false;
	res->n_elements = 0;
	res->begin = 0;
	res->begin_fds = 0;
	res->shared_bytes = 0;
	result_clear_value(res);
	res->is_failed = res->is_too_large = false;
}

void result_deinit(struct result *res)
{
	result_reset(res);
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

/* How long an encoding in the answer may be. */
static size_t inline_max(const struct result *res)
{
	return res->is_array ? PROTO_INLINE_BYTES - FAILURE_BYTES : PROTO_INLINE_BYTES;
}

size_t result_room(const struct result *res)
{
	return inline_max(res) - res->begin;
}

/* How long a byte string in it may be; above that it goes into shared memory. */
static size_t bin_max(const struct result *res)
{
	size_t room = result_room(res);

	return room > 3 ? room - 3 : 0;
}

bool result_is_plain(const void *encoded, size_t len, unsigned max_depth)
{
	struct scan s;

	return scan_value(encoded, len, max_depth, &s) == 0 && s.fd_mask == 0 && !s.has_future_ext;
}

int result_begin(poold_job *job, size_t len)
{
	struct result *res = &job->result;
	uint64_t before = res->begin + res->shared_bytes;

	if (res->is_failed)
		return -EALREADY;
	result_clear_value(res);
	if (before > job->max_result || len > job->max_result - before)
		return result_too_large(job, "max_result", before + len, job->max_result);
	return 0;
}

/* A byte string that is written here, and not only passed on. */
static int begin_bytes(poold_job *job, size_t len)
{
	int r = result_begin(job, len);

	if (r == 0 && len > PROTO_INLINE_BIN_BYTES && len > shm_max())
		r = result_too_large(job, "RLIMIT_FSIZE", len, shm_max());
	return r;
}

int result_begin_inline(poold_job *job, size_t len)
{
	const struct result *res = &job->result;
	int r = result_begin(job, len);

	if (r == 0 && len > result_room(res))
		r = result_too_large(job, "inline_bytes", res->begin + len, inline_max(res));
	return r;
}

/* fd becomes the result's; the value is the byte string in it. */
static int set_shared(poold_job *job, int fd)
{
	struct bufpack p;
	int index = result_attach(&job->result, fd);

	if (index < 0) {
		fd_close(fd);
		return result_too_many_fds(job);
	}
	bufpack_init(&p, &job->result.body);
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
	if (len <= bin_max(&job->result))
		return set_bin(&job->result, bytes, len);
	r = shm_from_bytes("poold-result", bytes, len);
	if (r < 0)
		return r;
	job->meter.copied += len;
	return set_shared(job, r);
}

poold_public int poold_job_result_text(poold_job *job, const char *text, size_t len)
{
	const struct result *res = &job->result;
	struct bufpack p;
	int r = result_begin(job, len);

	if (r == 0 && len > bin_max(res))
		r = result_too_large(job, "inline_bytes",
			res->begin + len + (len > UINT16_MAX ? 5 : 3), inline_max(res));
	if (r < 0)
		return r;
	bufpack_init(&p, &job->result.body);
	bufpack_text_n(&p, text, len);
	return bufpack_error(&p);
}

poold_public int poold_job_result_encoded(poold_job *job, const void *encoded, size_t len)
{
	unsigned max_depth = PROTO_VALUE_DEPTH - job->result.is_array;
	int r = result_begin_inline(job, len);

	if (r < 0)
		return r;
	if (!result_is_plain(encoded, len, max_depth)) {
		poold_job_fail(job, "bad_result",
			"The function's result is not one MessagePack value, nested at most %u "
			"deep, "
			"without ext types 1 to 3",
			max_depth);
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
	if (len > bin_max(res)) {
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

	if (job->n_fds == 0)
		return 0;
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
	const struct result *res = &job->result;
	unsigned max_depth = PROTO_VALUE_DEPTH - res->is_array;
	struct cursor c = job->input, value;
	struct buf *body = &job->result.body;
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
	if (scan_value(buf_head(body) + res->begin, buf_used(body) - res->begin, max_depth, NULL) ==
		0)
		return 0;
	return poold_job_fail(job, "bad_result", "The result nests deeper than %u", max_depth);
}

poold_public int poold_job_result_input(poold_job *job)
{
	struct result *res = &job->result;
	const void *bytes;
	size_t n;
	int r;

	/* one that was long for the client's message is long for the answer */
	if (cursor_peek(&job->input) == CURSOR_BIN && cursor_len(&job->input) > result_room(res) &&
		values_bytes(job, job->input, &bytes, &n) == 0)
		return poold_job_result_bytes(job, bytes, n);
	/* a byte string in shared memory counts with its own bytes */
	if (cursor_peek(&job->input) == CURSOR_EXT &&
		values_bytes(job, job->input, &bytes, &n) == 0)
		r = result_begin(job, n);
	else
		r = result_begin_inline(job, cursor_len(&job->input));
	if (r < 0)
		return r;
	r = job->n_values ? append_with_values(job)
			  : buf_append(&res->body, job->input.p, cursor_len(&job->input));
	if (r < 0)
		return r;
	r = take_input_fds(job, res->body.data + res->body.head + res->begin,
		buf_used(&res->body) - res->begin);
	if (r == -ENOBUFS)
		return result_too_many_fds(job);
	return r;
}

static int finish_shared(poold_job *job)
{
	struct result *res = &job->result;
	int r = 0;

	if (res->len <= bin_max(res)) {
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
	return r < 0 ? r : set_shared(job, take_fd(&res->shm));
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
	if (r < 0 && !res->is_failed)
		poold_job_fail(job, "internal", "The result cannot be sent: %s", strerror(-r));
}

void result_begin_array(struct result *res)
{
	res->is_array = true;
}

/* What came into the array may be more than one value's worth: that of its fds, too. */
static int check_array(struct poold_job *job)
{
	struct result *res = &job->result;
	uint64_t bytes = HEAD_BYTES + buf_used(&res->body);
	size_t len;
	int r;

	if (bytes > inline_max(res))
		return result_too_large(job, "inline_bytes", bytes, inline_max(res));
	for (unsigned i = res->begin_fds; i < res->n_fds; i++) {
		r = shm_check(res->fds[i], SIZE_MAX, &len);
		if (r != 0)
			return poold_job_fail(job, "internal", "The result cannot be sent");
		res->shared_bytes += len;
	}
	bytes += res->shared_bytes;
	if (bytes > job->max_result)
		return result_too_large(job, "max_result", bytes, job->max_result);
	return 0;
}

int result_end_element(struct poold_job *job)
{
	static const uint8_t nil = 0xc0;
	struct result *res = &job->result;
	int r = 0;

	if (buf_used(&res->body) == res->begin)
		r = buf_append(&res->body, &nil, 1);
	if (r < 0)
		return poold_job_fail(
			job, "internal", "The result cannot be kept: %s", strerror(-r));
	r = check_array(job);
	if (r < 0)
		return r;
	res->n_elements++;
	res->begin = buf_used(&res->body);
	res->begin_fds = res->n_fds;
	return 0;
}
