/* What comes in with a run, and the functions of poold-module.h that show it. Where the bytes of a
 * value lie is values.c's matter. */
#include "daemon/worker/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/worker/bell.h"
#include "daemon/worker/values.h"

#define PROGRESS_US 20000u

void job_init(struct poold_job *job, struct link *link, const char *pool, uint64_t cache_bytes)
{
	job->link = link;
	job->pool = pool;
	cache_init(&job->cache, cache_bytes);
	result_init(&job->result);
}

void job_deinit(struct poold_job *job)
{
	job_end(job, 0);
	result_deinit(&job->result);
	cache_clear(&job->cache);
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
	if (text_equal(key, len, "attempt") && cursor_uint(c, &v)) {
		job->attempt = (uint32_t)v;
		return true;
	}
	if (text_equal(key, len, "uid") && cursor_uint(c, &v)) {
		job->uid = (uint32_t)v;
		return true;
	}
	if (text_equal(key, len, "max_result") && cursor_uint(c, &v)) {
		job->max_result = v ? v : UINT64_MAX;
		return true;
	}
	if (text_equal(key, len, "values"))
		return values_parse(job, c);
	if (text_equal(key, len, "trace") && cursor_text(c, &job->trace, &job->trace_len))
		return true;
	if (text_equal(key, len, "each") && cursor_bool(c, &job->is_each))
		return true;
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

/* ---- runs of the same form ----------------------------------------------------------------------
 *
 * Of the short runs that share a packet nearly all differ in nothing but msgid, input and ID. The
 * daemon checked the input; what is read here stays within the packet whatever it is.
 */

void job_forget_form(struct poold_job *job)
{
	job->form.head = (struct cursor){};
}

/* If it is one that has no fds and no values, with `id` first, and others follow. */
static void note_form(struct poold_job *job, const struct message *m, const struct cursor *input,
	const uint8_t *end)
{
	const uint8_t *method = (const uint8_t *)m->rpc.method;
	struct cursor meta = {input->end, end};
	struct job_form form;
	const char *key;
	uint64_t id;
	uint32_t n;
	size_t len;

	job_forget_form(job);
	if (!link_has_next(job->link) || m->n_fds || job->n_values || m->rpc.n_params != 3 ||
		method[-1] != 0xa3 || !cursor_map(&meta, &n) || !cursor_text(&meta, &key, &len) ||
		!text_equal(key, len, "id"))
		return;
	form.head = (struct cursor){method - 1, input->p};
	form.key = (struct cursor){input->end, meta.p};
	if (!cursor_uint(&meta, &id))
		return;
	form.meta = meta;
	job->form = form;
}

static inline bool take(struct cursor *c, const struct cursor *bytes)
{
	size_t n = cursor_len(bytes);

	if (cursor_len(c) < n || memcmp(c->p, bytes->p, n) != 0)
		return false;
	c->p += n;
	return true;
}

bool job_begin_alike(struct poold_job *job)
{
	static const uint8_t request[] = {0x94, RPC_REQUEST};
	const struct cursor begin = {request, request + sizeof(request)};
	struct cursor c, input;
	uint64_t msgid, id;

	if (cursor_at_end(&job->form.head))
		return false;
	c = link_rest(job->link);
	if (!take(&c, &begin) || !cursor_uint(&c, &msgid) || msgid > UINT32_MAX ||
		!take(&c, &job->form.head) || !cursor_skip(&c, &input) || cursor_is_ext(&input) ||
		!take(&c, &job->form.key) || !cursor_uint(&c, &id) || !take(&c, &job->form.meta))
		return false;
	job->id = id;
	job->msgid = (uint32_t)msgid;
	job->input = input;
	job->is_cancelled = false;
	job->progress_at_us = 0;
	link_step(job->link, c.p);
	return true;
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
	job->shared = 0;
	job->scanned = 0;
	job->is_each = false;
	job->is_cancelled = false;
	job->progress_at_us = 0;

	r = link_take_fds(job->link, m, job->fds);
	if (r < 0)
		return r;
	job->n_fds = m->n_fds;
	memset(job->parts, 0, job->n_fds * sizeof(job->parts[0]));
	if (m->rpc.n_params < 3 || !cursor_text(&c, &job->function, &job->function_len) ||
		!cursor_skip(&c, &input) || !parse_meta(job, &c))
		return JOB_E_PARAMS;
	note_form(job, m, &input, c.p);
	job->input = input;
	if (!cursor_is_ext(&input))
		return 0;
	return values_resolve(job, input, &job->input) < 0 ? JOB_E_VALUE : 0;
}

void job_end(struct poold_job *job, uint64_t now_us)
{
	values_drop(job);
	result_reset(&job->result);
	cache_settle(&job->cache, now_us);
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
