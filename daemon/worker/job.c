/* What comes in with a run, and the functions of poold-module.h that show it.
 *
 * A value may stand in four places: in the packet itself; in a memfd that ext 3 names (its
 * encoding); for a byte string, in a memfd that ext 1 names (its bytes); and in `values`, where ext
 * 2 points. resolve() leads from any of them to bytes; a memfd is mapped when it is first asked for
 * and unmapped when the run is over. */
#include "daemon/worker/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "daemon/worker/bell.h"
#include "proto/scan.h"
#include "proto/shm.h"

#define PROGRESS_US 20000u

void job_init(struct poold_job *job, struct link *link, const char *pool)
{
	*job = (struct poold_job){.link = link, .pool = pool};
	result_init(&job->result);
}

void job_deinit(struct poold_job *job)
{
	job_end(job);
	result_deinit(&job->result);
}

static int map_fd(struct poold_job *job, unsigned index)
{
	struct job_map *m = &job->maps[index];
	int r;

	if (index >= job->n_fds || job->fds[index] < 0)
		return -ENOENT;
	if (job->mapped & 1ull << index)
		return 0;
	r = shm_check(job->fds[index], SIZE_MAX, &m->len);
	if (r > 0)
		return -EBADF;
	if (r == 0)
		r = shm_map(job->fds[index], m->len, &m->p);
	if (r == 0)
		job->mapped |= 1ull << index;
	return r;
}

/* The value whose encoding fds[index] holds. It was checked by the daemon; a worker of another's
 * pool is no daemon, so look again. */
static int map_value(struct poold_job *job, unsigned index, struct cursor *ret)
{
	struct scan s;
	int r;

	r = map_fd(job, index);
	if (r < 0)
		return r;
	if (!(job->scanned & 1ull << index)) {
		if (scan_value(job->maps[index].p, job->maps[index].len, PROTO_VALUE_DEPTH + 1,
			    &s) != 0 ||
			(job->n_fds < 64 && s.fd_mask >> job->n_fds))
			return -EBADMSG;
		job->scanned |= 1ull << index;
	}
	*ret = cursor_of(job->maps[index].p, job->maps[index].len);
	return 0;
}

static uint64_t get_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* Where c stands: the value itself, or what its ext 3 holds. */
static int resolve_value(struct poold_job *job, struct cursor c, struct cursor *ret)
{
	struct cursor at = c;
	const void *payload;
	int8_t type;
	size_t n;

	if (cursor_ext(&at, &type, &payload, &n) && type == PROTO_EXT_VALUE && n == 1)
		return map_value(job, *(const uint8_t *)payload, ret);
	return cursor_skip(&c, ret) ? 0 : -EINVAL;
}

static int find_value(struct poold_job *job, uint64_t id, struct cursor *ret)
{
	struct cursor c = job->values, value;
	uint64_t key;

	for (uint32_t i = 0; i < job->n_values; i++) {
		if (!cursor_uint(&c, &key) || !cursor_skip(&c, &value))
			return -EBADMSG;
		if (key == id)
			return resolve_value(job, value, ret);
	}
	return -ENOENT;
}

/* As resolve_value(); an ext 2 leads on to that future's value. */
static int resolve(struct poold_job *job, struct cursor c, struct cursor *ret)
{
	struct cursor at = c;
	const void *payload;
	int8_t type;
	size_t n;

	if (cursor_ext(&at, &type, &payload, &n) && type == PROTO_EXT_FUTURE && n == 8)
		return find_value(job, get_be64(payload), ret);
	return resolve_value(job, c, ret);
}

/* Stands on the first ID; no IDs at all is fine. */
static bool parse_values(struct poold_job *job, struct cursor *c)
{
	struct cursor map, value;

	if (!cursor_skip(c, &value) || resolve_value(job, value, &map) < 0 ||
		!cursor_map(&map, &job->n_values))
		return false;
	job->values = map;
	return true;
}

static bool parse_meta_entry(struct poold_job *job, struct cursor *c, bool *has_id)
{
	const char *key;
	size_t len;
	uint64_t v;

	if (!cursor_text(c, &key, &len))
		return false;
	if (text_equal(key, len, "id")) {
		*has_id = cursor_uint(c, &job->id);
		return *has_id;
	}
	if (text_equal(key, len, "values"))
		return parse_values(job, c);
	if (text_equal(key, len, "trace") && cursor_text(c, &job->trace, &job->trace_len))
		return true;
	if (text_equal(key, len, "max_result") && cursor_uint(c, &v)) {
		job->max_result = v ? v : UINT64_MAX;
		return true;
	}
	if (text_equal(key, len, "attempt") && cursor_uint(c, &v)) {
		job->attempt = (uint32_t)v;
		return true;
	}
	if (text_equal(key, len, "uid") && cursor_uint(c, &v)) {
		job->uid = (uint32_t)v;
		return true;
	}
	return cursor_skip(c, NULL);
}

static bool parse_meta(struct poold_job *job, struct cursor *c)
{
	bool has_id = false;
	uint32_t n;

	if (!cursor_map(c, &n))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!parse_meta_entry(job, c, &has_id))
			return false;
	}
	return has_id;
}

int job_begin(struct poold_job *job, const struct message *m)
{
	struct cursor c = m->rpc.params, input;
	int r;

	job->id = 0;
	job->attempt = 1;
	job->uid = 0;
	job->max_result = UINT64_MAX;
	job->trace = NULL;
	job->trace_len = 0;
	job->n_values = 0;
	job->msgid = m->rpc.msgid;
	job->mapped = 0;
	job->scanned = 0;
	job->is_cancelled = false;
	job->progress_at_us = 0;

	r = link_take_fds(job->link, m, job->fds);
	if (r < 0)
		return r;
	job->n_fds = m->n_fds;
	if (m->rpc.n_params < 3 || !cursor_text(&c, &job->function, &job->function_len) ||
		!cursor_skip(&c, &input) || !parse_meta(job, &c))
		return JOB_E_PARAMS;
	return resolve(job, input, &job->input) < 0 ? JOB_E_VALUE : 0;
}

void job_end(struct poold_job *job)
{
	for (unsigned i = 0; i < job->n_fds; i++) {
		if (job->mapped & 1ull << i)
			shm_unmap(job->maps[i].p, job->maps[i].len);
		fd_close(job->fds[i]);
	}
	job->n_fds = 0;
	result_reset(&job->result);
}

/* A byte string: either its bytes, or the index of its memfd. */
static int find_bytes(
	struct poold_job *job, struct cursor c, int *ret_index, const void **ret, size_t *ret_len)
{
	const uint8_t *fd_index;
	struct cursor value;
	int r;

	r = resolve(job, c, &value);
	if (r < 0)
		return r;
	*ret_index = -1;
	if (cursor_bytes(&value, ret, ret_len))
		return 0;
	fd_index = cursor_fd_index(&value);
	if (!fd_index)
		return -EINVAL;
	*ret_index = *fd_index;
	return 0;
}

int job_bytes(struct poold_job *job, struct cursor c, const void **ret, size_t *ret_len)
{
	int index, r;

	r = find_bytes(job, c, &index, ret, ret_len);
	if (r < 0 || index < 0)
		return r;
	return poold_job_map(job, (unsigned)index, ret, ret_len);
}

int job_named_fd(const struct poold_job *job, struct cursor c)
{
	const uint8_t *index = cursor_fd_index(&c);

	return index ? poold_job_fd(job, *index) : -EINVAL;
}

void job_close_fds(struct poold_job *job)
{
	for (unsigned i = 0; i < job->n_fds; i++)
		job->fds[i] = fd_close(job->fds[i]);
}

/* The offset of a memfd belongs to all who got it: so it is opened once more. */
static int reopen(int fd)
{
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

int job_open_bytes(struct poold_job *job, struct cursor c)
{
	cleanup_fd int own = -1;
	const void *bytes;
	int index, fd, r;
	size_t n;

	r = find_bytes(job, c, &index, &bytes, &n);
	if (r < 0)
		return r;
	if (index >= 0) {
		fd = poold_job_fd(job, (unsigned)index);
		if (fd < 0)
			return fd;
		r = shm_check(fd, SIZE_MAX, &n);
	} else {
		fd = own = shm_from_bytes("poold-stdin", bytes, n);
		r = fd < 0 ? fd : 0;
	}
	if (r != 0)
		return r > 0 ? -EBADF : r;
	return reopen(fd);
}

poold_public uint64_t poold_job_id(const poold_job *job)
{
	return job->id;
}

poold_public unsigned int poold_job_attempt(const poold_job *job)
{
	return job->attempt;
}

poold_public unsigned int poold_job_uid(const poold_job *job)
{
	return job->uid;
}

poold_public const char *poold_job_pool(const poold_job *job)
{
	return job->pool;
}

poold_public const char *poold_job_trace(const poold_job *job, size_t *ret_len)
{
	*ret_len = job->trace_len;
	return job->trace ? job->trace : "";
}

poold_public const void *poold_job_input(const poold_job *job, size_t *ret_len)
{
	*ret_len = cursor_len(&job->input);
	return job->input.p;
}

poold_public int poold_job_input_bytes(poold_job *job, const void **ret, size_t *ret_len)
{
	return job_bytes(job, job->input, ret, ret_len);
}

poold_public int poold_job_bytes(
	poold_job *job, const void *encoded, size_t len, const void **ret, size_t *ret_len)
{
	return job_bytes(job, cursor_of(encoded, len), ret, ret_len);
}

poold_public int poold_job_value(poold_job *job, uint64_t id, const void **ret, size_t *ret_len)
{
	struct cursor value;
	int r;

	r = find_value(job, id, &value);
	if (r < 0)
		return r;
	*ret = value.p;
	*ret_len = cursor_len(&value);
	return 0;
}

poold_public int poold_job_fd(const poold_job *job, unsigned int index)
{
	return index < job->n_fds && job->fds[index] >= 0 ? job->fds[index] : -ENOENT;
}

poold_public int poold_job_map(
	poold_job *job, unsigned int index, const void **ret, size_t *ret_len)
{
	int r;

	r = map_fd(job, index);
	if (r < 0)
		return r;
	*ret = job->maps[index].p;
	*ret_len = job->maps[index].len;
	return 0;
}

poold_public int poold_job_cancelled(poold_job *job)
{
	if (!job->is_cancelled && bell_rang()) {
		link_listen(job->link);
		job->is_cancelled = link_is_cancelled(job->link, job->id);
	}
	return job->is_cancelled;
}

poold_public int poold_job_wait(poold_job *job, int fd, short events, uint64_t timeout_us)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	uint64_t end_us = 0, now_us;
	int r;

	if (timeout_us != BELL_FOREVER)
		end_us = meter_now_us() + timeout_us;
	for (;;) {
		if (poold_job_cancelled(job))
			return -ECANCELED;
		r = bell_poll(&pfd, 1, timeout_us);
		if (r != -EINTR)
			return r > 0 ? pfd.revents : r;
		if (timeout_us == BELL_FOREVER)
			continue;
		now_us = meter_now_us();
		timeout_us = now_us < end_us ? end_us - now_us : 0;
	}
}

/* The answers that wait go out with it; if the daemon is behind with reading, only the progress is
 * dropped. */
poold_public void poold_job_progress(
	poold_job *job, uint64_t done, uint64_t total, const char *text)
{
	struct link *l = job->link;
	uint64_t now_us = meter_now_us();
	size_t before = buf_used(&l->out);
	char words[PROTO_REASON_BYTES + 1];
	struct bufpack p;

	if (done != total && job->progress_at_us && now_us - job->progress_at_us < PROGRESS_US)
		return;
	job->progress_at_us = now_us;
	snprintf(words, sizeof(words), "%s", text ? text : "");
	text_clean(words, strlen(words));
	bufpack_init(&p, &l->out);
	rpc_pack_notification(&p, "progress");
	bufpack_array(&p, 4);
	bufpack_uint(&p, job->id);
	bufpack_uint(&p, done);
	bufpack_uint(&p, total);
	bufpack_text(&p, words);
	if (bufpack_error(&p) < 0 || link_flush(l, MSG_DONTWAIT) < 0)
		buf_truncate(&l->out, before);
}
