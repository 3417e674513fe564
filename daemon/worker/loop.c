/* The worker protocol of PROTOCOL.md.
 *
 * One packet at a time: its messages are looked at in turn, its runs are run in turn, and all their
 * answers are sent before the next packet is received. Answers of short runs wait for each other;
 * one that has waited FLUSH_US goes out before the next run starts, and one whose input was mapped
 * before that is unmapped. */
#include "daemon/worker/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "daemon/worker/bell.h"
#include "daemon/worker/job.h"
#include "daemon/worker/modules.h"
#include "daemon/worker/values.h"

#define FLUSH_US 100u

struct loop {
	struct link *link;
	const struct poold_module *module;
	const struct poold_function *function; /* of the last run; NULL: look for it */
	struct poold_job job;
	struct meter_base base;
	uint64_t out_since_us; /* when the oldest answer that waits was packed */
	uint64_t now_us; /* the end of the run before, if nothing but packing came after it; or 0 */
};

static int send_ready(struct loop *loop)
{
	struct bufpack p;
	int r;

	bufpack_init(&p, &loop->link->out);
	rpc_pack_notification(&p, "ready");
	bufpack_array(&p, 1);
	bufpack_map(&p, 3);
	bufpack_text(&p, "protocol");
	bufpack_uint(&p, PROTO_VERSION);
	bufpack_text(&p, "rss_kib");
	bufpack_uint(&p, meter_begin(&loop->base));
	bufpack_text(&p, "functions");
	modules_pack_functions(&p, loop->module);
	r = bufpack_error(&p);
	return r < 0 ? r : link_flush(loop->link, 0);
}

static int pack_answer(struct poold_job *job)
{
	struct link *l = job->link;
	struct bufpack p;

	bufpack_init(&p, &l->out);
	result_pack(&p, job);
	return bufpack_error(&p);
}

static int answer(struct poold_job *job)
{
	struct result *res = &job->result;
	int r;

	r = link_make_room(job->link, result_pack_len(res), res->n_fds);
	if (r == 0)
		r = pack_answer(job);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < res->n_fds; i++)
		link_attach(job->link, res->fds[i]);
	res->n_fds = 0;
	return 0;
}

static void fail_value(struct poold_job *job)
{
	poold_job_fail(job, "bad_request",
		"A value that the input stands for is not there or cannot be read");
}

static void run_function(struct poold_job *job, const struct poold_function *f)
{
	int r;

	r = f->run(job);
	if (r < 0 && !job->result.is_failed)
		poold_job_fail(job, "failed", "%s: %s", f->name, strerror(-r));
	result_finish(job);
}

/* Few elements are something else than what they stand for. */
static bool resolve_element(struct poold_job *job)
{
	struct cursor element = job->input;

	return cursor_peek(&element) != CURSOR_EXT ||
	       values_resolve(job, element, &job->input) == 0;
}

/* Each element is the input of one run of the function; no call of the kernel between two of them.
 */
static void run_elements(struct poold_job *job, const struct poold_function *f)
{
	struct cursor all = job->input;
	uint32_t n;

	if (!cursor_array(&all, &n)) {
		poold_job_fail(job, "bad_request", "Option each: the input is no array");
		return;
	}
	result_begin_array(&job->result);
	while (n-- > 0) {
		if (poold_job_cancelled(job)) {
			poold_job_fail(job, "cancelled", "The job was cancelled");
			return;
		}
		if (!cursor_skip(&all, &job->input) || !resolve_element(job)) {
			fail_value(job);
			return;
		}
		run_function(job, f);
		if (job->result.is_failed || result_end_element(job) < 0)
			return;
	}
}

/* The job as far as it goes: an answer is due in any case. */
static void run_job(struct loop *loop, int begun)
{
	struct poold_job *job = &loop->job;
	const struct poold_function *f;

	if (begun == JOB_E_PARAMS) {
		poold_job_fail(
			job, "bad_request", "The parameters of run are [function, input, meta]");
		return;
	}
	if (begun == JOB_E_VALUE) {
		fail_value(job);
		return;
	}
	if (link_is_cancelled(job->link, job->id)) {
		poold_job_fail(job, "cancelled", "The job was cancelled before it started");
		return;
	}
	if (!loop->function)
		loop->function = modules_find(loop->module, job->function, job->function_len);
	f = loop->function;
	if (!f) {
		poold_job_fail(job, "unknown_function", "%s has no function %.*s",
			loop->module->name, (int)job->function_len, job->function);
		return;
	}
	if (job->is_each)
		run_elements(job, f);
	else
		run_function(job, f);
}

/* The run that was begun, and its answer. */
static int run(struct loop *loop, int begun)
{
	struct poold_job *job = &loop->job;
	uint64_t now_us = loop->now_us;
	size_t used;
	int r;

	meter_start(&job->meter, &loop->base, now_us);
	run_job(loop, begun);
	now_us = meter_now_us();
	meter_stop(&job->meter, &loop->base, now_us);
	if (!link_has_out(loop->link))
		loop->out_since_us = now_us;
	used = buf_used(&job->link->out);
	r = answer(job);
	/* fds take time to close, and a full packet to send */
	loop->now_us = 0;
	if (job->n_fds == 0 && job->link->n_out_fds == 0 && buf_used(&job->link->out) > used)
		loop->now_us = now_us;
	/* what was looked at takes longer to unmap than to send an answer */
	if (r == 0 && job->mapped & ~job->shared)
		r = link_flush(job->link, 0);
	job_end(job, now_us);
	return r;
}

/* A `cancel` came too late to matter. */
static void take_notification(struct loop *loop, const struct message *m)
{
	struct cursor c = m->rpc.params;
	uint64_t id;

	if (text_equal(m->rpc.method, m->rpc.method_len, "forget") && cursor_uint(&c, &id))
		cache_forget(&loop->job.cache, id);
}

/* Answers nobody asked for. */
static int handle(struct loop *loop, const struct message *m)
{
	char text[128];
	int begun;

	if (m->rpc.type == RPC_NOTIFICATION)
		take_notification(loop, m);
	if (m->rpc.type != RPC_REQUEST) {
		loop->now_us = 0;
		return 0;
	}
	if (text_equal(m->rpc.method, m->rpc.method_len, "run")) {
		loop->function = NULL;
		begun = job_begin(&loop->job, m);
		return begun < 0 ? begun : run(loop, begun);
	}
	snprintf(text, sizeof(text), "A worker has no method %.*s",
		(int)(m->rpc.method_len < 64 ? m->rpc.method_len : 64), m->rpc.method);
	return link_answer_error(loop->link, m->rpc.msgid, "unknown_method", text);
}

/* Before the packet's next message: what waits longer goes out first. */
static int look_up(struct loop *loop)
{
	int r = 0;

	if (!loop->now_us)
		loop->now_us = meter_now_us();
	if (link_has_out(loop->link) && loop->now_us - loop->out_since_us >= FLUSH_US) {
		r = link_flush(loop->link, 0);
		loop->now_us = meter_now_us();
	}
	return r;
}

static int take_message(struct loop *loop)
{
	struct message m;
	int r;

	if (job_begin_alike(&loop->job))
		return run(loop, 0);
	r = link_next(loop->link, &m);
	return r < 0 ? r : handle(loop, &m);
}

/* A bell that rang during one of its runs may be for a later one. */
static int handle_packet(struct loop *loop)
{
	bool is_later = false;
	int r = 0;

	job_forget_form(&loop->job);
	while (r == 0 && link_has_next(loop->link)) {
		if (is_later && bell_rang())
			link_listen(loop->link);
		is_later = true;
		r = look_up(loop);
		if (r == 0)
			r = take_message(loop);
	}
	loop->now_us = 0;
	return r < 0 ? r : link_flush(loop->link, 0);
}

/* With something in the cache it is to age meanwhile. */
static void wait_for_packet(struct loop *loop)
{
	struct link *l = loop->link;
	struct pollfd pfd = {.fd = l->fd, .events = POLLIN};
	int64_t us;

	while (!l->has_early && (us = cache_age(&loop->job.cache, meter_now_us())) >= 0)
		if (poll(&pfd, 1, (int)(us / 1000) + 1) > 0)
			break;
}

int loop_run(struct link *link, const struct poold_module *module, const char *pool,
	uint64_t cache_bytes)
{
	/* static: two of its parts are large, and there is one loop in a process, which writes to
	 * as few of their pages as it can */
	static struct loop loop;
	int r;

	loop.link = link;
	loop.module = module;
	job_init(&loop.job, link, pool, cache_bytes);
	r = send_ready(&loop);
	while (r == 0) {
		wait_for_packet(&loop);
		r = link_receive(link);
		if (r == 0)
			break;
		if (r > 0)
			r = handle_packet(&loop);
	}
	job_deinit(&loop.job);
	if (r < 0)
		link_flush_dying(link); /* what was answered before stays answered */
	return link_is_closed(r) ? 0 : r;
}
