#include "daemon/info.h"

#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/core/explain.h"
#include "daemon/cost_pack.h"
#include "daemon/extra.h"
#include "daemon/failure.h"
#include "daemon/reply.h"
#include "daemon/workers.h"

/* ---- one map
 * ------------------------------------------------------------------------------------- The fields
 * that apply are counted by packing them: a map's count stands in front, so it is written once as
 * map 16 and filled in at the end. */

struct fields {
	struct bufpack *p;
	size_t count_at; /* offset of the count in the packer's buffer */
	uint16_t n;
};

static void fields_begin(struct fields *fs, struct bufpack *p)
{
	static const uint8_t map16[3] = {0xde};

	fs->p = p;
	fs->n = 0;
	fs->count_at = buf_used(p->buf) + 1;
	bufpack_raw(p, map16, sizeof(map16));
}

static struct bufpack *field(struct fields *fs, const char *key)
{
	fs->n++;
	bufpack_text(fs->p, key);
	return fs->p;
}

static void fields_end(struct fields *fs)
{
	uint8_t *count;

	if (bufpack_error(fs->p) != 0)
		return;
	count = fs->p->buf->data + fs->p->buf->head + fs->count_at;
	count[0] = (uint8_t)(fs->n >> 8);
	count[1] = (uint8_t)fs->n;
}

static void pack_cost(struct fields *fs, const struct future *f, uint64_t now_us)
{
	struct future_timing t = future_timing(f, now_us);
	struct moved in = future_in(f), out = future_out(f);

	cost_pack_timing(field(fs, "timing"), &t);
	if (f->run->started_us && future_state_is_final(f->state) && cost_share(&t) >= 0)
		cost_pack_share(field(fs, "work_share"), &t);
	cost_pack_bytes(
		field(fs, "bytes"), &in, &out, future_terms(f) ? future_terms(f)->object_bytes : 0);
}

static void pack_advice(struct fields *fs, const struct function *fn)
{
	size_t n = cost_count_advice(fn);

	if (!n)
		return;
	bufpack_array(field(fs, "advice"), n);
	cost_pack_advice(fs->p, fn);
}

static void pack_refusal(struct fields *fs, const struct refusal *why)
{
	outcome_pack_limit(fs->p, account_kind_name(why->kind), why->value, why->max);
	fs->n += 3;
	bufpack_text(field(fs, "of"), why->of_uid ? "uid" : "all");
}

static void pack_waits_for(struct bufpack *p, const struct explanation *e)
{
	static const char *const kinds[] = {
		[EXPLAIN_WORKER] = "worker",
		[EXPLAIN_QUOTA] = "quota",
		[EXPLAIN_DELAY] = "delay",
		[EXPLAIN_DEPENDENCY] = "dependency",
		[EXPLAIN_STARTING] = "starting",
		[EXPLAIN_DEGRADED] = "degraded",
		[EXPLAIN_PAUSED] = "paused",
	};
	struct fields fs;

	fields_begin(&fs, p);
	bufpack_text(field(&fs, "kind"), kinds[e->kind]);
	if (e->id)
		bufpack_uint(field(&fs, "id"), e->id);
	if (e->pool)
		bufpack_text(field(&fs, "pool"), e->pool->name);
	if (e->has_ahead)
		bufpack_uint(field(&fs, "ahead"), e->ahead);
	if (e->until_us)
		bufpack_seconds(field(&fs, "until"), clock_unix_us(e->until_us));
	if (e->reason)
		bufpack_text(field(&fs, "reason"), e->reason);
	if (e->kind == EXPLAIN_QUOTA)
		pack_refusal(&fs, &e->refusal);
	fields_end(&fs);
}

static void pack_progress(struct bufpack *p, const struct future_extra *e)
{
	bufpack_array(p, 3);
	bufpack_uint(p, e->progress_done);
	bufpack_uint(p, e->progress_total);
	bufpack_text(p, e->progress_text ? e->progress_text : "");
}

static void pack_texts(struct fields *fs, const struct future_extra *e)
{
	if (e->label)
		bufpack_text(field(fs, "label"), e->label);
	if (e->has_progress)
		pack_progress(field(fs, "progress"), e);
}

static void pack_job(struct fields *fs, const struct future *f, uint64_t ahead_max, uint64_t now_us)
{
	struct explanation e = explain(f, ahead_max, now_us);
	bool is_final = future_state_is_final(f->state);
	pid_t pid = f->run->slot ? workers_pid(f->run->slot) : 0;

	bufpack_text(field(fs, "pool"), future_pool(f)->name);
	bufpack_text(field(fs, "function"), f->function->name);
	bufpack_int(field(fs, "priority"), f->priority);
	if (attempts_count(f)) {
		bufpack_uint(field(fs, "attempt"), attempts_count(f));
		attempts_pack(field(fs, "attempts"), f);
	}
	if (future_terms(f) && future_terms(f)->wishes.retry_of)
		bufpack_uint(field(fs, "retry_of"), future_terms(f)->wishes.retry_of);
	if (f->run->head_us) {
		bufpack_seconds(field(fs, "started"),
			clock_unix_us(f->run->started_us ? f->run->started_us : f->run->head_us));
	}
	if (!is_final && f->run->head_us && pid)
		bufpack_int(field(fs, "worker_pid"), pid);
	if (e.kind != EXPLAIN_NOTHING)
		pack_waits_for(field(fs, "waits_for"), &e);
	if (ahead_max)
		pack_advice(fs, f->function);
}

void info_pack(struct bufpack *p, const struct future *f, uint64_t ahead_max)
{
	uint64_t now_us = clock_now_us();
	struct fields fs;

	fields_begin(&fs, p);
	bufpack_uint(field(&fs, "id"), f->id);
	bufpack_text(field(&fs, "state"), outcome_state_name((enum outcome_state)f->state));
	if (future_pool(f))
		pack_job(&fs, f, ahead_max, now_us);
	if (future_group(f))
		bufpack_text(field(&fs, "group"), future_group(f));
	if (future_extra(f))
		pack_texts(&fs, future_extra(f));
	bufpack_uint(field(&fs, "owner"), future_uid(f));
	bufpack_seconds(field(&fs, "submitted"), clock_unix_us(f->submitted_us));
	if (future_state_is_final(f->state))
		bufpack_seconds(field(&fs, "finished"), clock_unix_us(future_finished_us(f)));
	pack_cost(&fs, f, now_us);
	if (f->failure != FAILURE_NONE)
		failure_pack(field(&fs, "error"), f);
	fields_end(&fs);
}
