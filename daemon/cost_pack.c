/* Advice says what was seen, with figures, then what would help; what the figures cannot prove,
 * such as that values of one size are one value, it says as a condition.
 */
#include "daemon/cost_pack.h"

#include <assert.h>
#include <stdio.h>

#include "proto/limits.h"
#include "proto/quantity.h"

#define ADVICE_BYTES 320
#define TIMING_BYTES                                                                               \
	(1 + ENCODE_KEY_BYTES("queued") + ENCODE_KEY_BYTES("handover") + ENCODE_KEY_BYTES("run") + \
		ENCODE_KEY_BYTES("return") + 4 * ENCODE_DOUBLE_BYTES)

static_assert(COST_LARGE_BYTES == PROTO_INLINE_BYTES, "what is large does not travel inline");

/* Of every job: one sequence. */
void cost_pack_timing(struct bufpack *p, const struct future_timing *t)
{
	uint8_t *at = bufpack_open(p, TIMING_BYTES);

	if (!at)
		return;
	at = encode_map(at, 4);
	at = encode_seconds(encode_key(at, "queued"), t->queued_us);
	at = encode_seconds(encode_key(at, "handover"), t->handover_us);
	at = encode_seconds(encode_key(at, "run"), t->run_us);
	at = encode_seconds(encode_key(at, "return"), t->return_us);
	bufpack_close(p, at);
}

static void pack_mean(struct bufpack *p, const char *key, uint64_t us, uint64_t n)
{
	bufpack_text(p, key);
	bufpack_double(p, n ? (double)us / (double)n / 1e6 : 0);
}

static void pack_means(struct bufpack *p, const struct future_timing *t, uint64_t n)
{
	bufpack_text(p, "mean");
	bufpack_map(p, 4);
	pack_mean(p, "queued", t->queued_us, n);
	pack_mean(p, "handover", t->handover_us, n);
	pack_mean(p, "run", t->run_us, n);
	pack_mean(p, "return", t->return_us, n);
}

void cost_pack_share(struct bufpack *p, const struct future_timing *t)
{
	double share = cost_share(t);

	if (share < 0)
		bufpack_nil(p);
	else
		bufpack_double(p, share);
}

void cost_pack_bytes(
	struct bufpack *p, const struct moved *in, const struct moved *out, uint64_t object_bytes)
{
	uint64_t n_in = in->inline_bytes + in->memfd_bytes,
		 n_out = out->inline_bytes + out->memfd_bytes;

	bufpack_map(p, 9);
	bufpack_field_uint(p, "in", n_in);
	bufpack_field_uint(p, "out", n_out);
	bufpack_field_uint(p, "inline", in->inline_bytes + out->inline_bytes);
	bufpack_field_uint(p, "memfd", in->memfd_bytes + out->memfd_bytes);
	bufpack_field_uint(p, "object", object_bytes);
	bufpack_field_uint(p, "copied", in->copied_bytes + out->copied_bytes);
	bufpack_field_uint(p, "total", n_in + n_out);
	bufpack_text(p, "input");
	bufpack_map(p, 4);
	bufpack_field_uint(p, "inline", in->inline_bytes);
	bufpack_field_uint(p, "memfd", in->memfd_bytes);
	bufpack_field_uint(p, "object", object_bytes);
	bufpack_field_uint(p, "copied", in->copied_bytes);
	bufpack_text(p, "result");
	bufpack_map(p, 3);
	bufpack_field_uint(p, "inline", out->inline_bytes);
	bufpack_field_uint(p, "memfd", out->memfd_bytes);
	bufpack_field_uint(p, "copied", out->copied_bytes);
}

static uint64_t mean_bytes(const struct moved *m, uint64_t n)
{
	return n ? (m->inline_bytes + m->memfd_bytes) / n : 0;
}

void cost_pack_fields(struct bufpack *p, const struct cost *c, uint64_t n_jobs)
{
	bufpack_field_uint(p, "jobs", n_jobs);
	bufpack_field_uint(p, "runs", c->n_runs);
	bufpack_text(p, "work_share");
	cost_pack_share(p, &c->total);
	bufpack_text(p, "timing");
	cost_pack_timing(p, &c->total);
	pack_means(p, &c->total, c->n_runs);
	bufpack_text(p, "bytes");
	cost_pack_bytes(p, &c->in, &c->out, c->object_bytes);
	bufpack_field_uint(p, "mean_in", mean_bytes(&c->in, n_jobs));
	bufpack_field_uint(p, "mean_out", mean_bytes(&c->out, n_jobs));
}

/* ---- advice ---- */

static void say_sizes(char *text, const struct cost *c, enum cost_remedy remedy)
{
	const struct cost_window *w = &c->window;
	uint64_t bytes = remedy == COST_REMEDY_PUT     ? c->size.bytes
			 : remedy == COST_REMEDY_MEMFD ? w->in_copied / w->n_runs
						       : w->out_copied / w->n_runs;
	char size[QUANTITY_TEXT];

	quantity_size_text(bytes, size);
	if (remedy == COST_REMEDY_PUT)
		snprintf(text, ADVICE_BYTES,
			"an input of %siB came in %llu times: if it is the same value, put it once "
			"(poolctl put, poold_put()) and name its future in the inputs",
			size, (unsigned long long)c->size.n);
	else if (remedy == COST_REMEDY_MEMFD)
		snprintf(text, ADVICE_BYTES,
			"poold copies %siB a job, since large inputs come inline: send a byte "
			"string above 64 KiB in a sealed memfd (ext type 1), as libpoold does, and "
			"large structures packed into one",
			size);
	else
		snprintf(text, ADVICE_BYTES,
			"poold copies %siB a job for clients that take no fds: say fds: true in "
			"hello, as libpoold does",
			size);
}

static void say_times(char *text, const struct cost_window *w, enum cost_remedy remedy)
{
	static const char *const what[_COST_REMEDY_MAX] = {
		[COST_REMEDY_PURE] =
			"if it may run again after a worker's death, mark it pure "
			"(POOLD_FUNCTION_PURE), so that several go in one packet; or "
			"use submit_many, or let each job do more, by option each, say",
		[COST_REMEDY_BATCH] =
			"use submit_many, or let each job do more, by option each, say",
		[COST_REMEDY_LARGER] = "let each job do more, by option each, say",
	};
	char run[QUANTITY_TEXT] = "less than 1us", handover[QUANTITY_TEXT], back[QUANTITY_TEXT];
	double n = (double)w->n_runs * 1e6;

	if (w->run_us >= w->n_runs)
		quantity_time_text((double)w->run_us / n, run);
	snprintf(text, ADVICE_BYTES,
		"a job runs %s, after a hand-over of %s and before a return of %s, on average: %s",
		run, quantity_time_text((double)w->handover_us / n, handover),
		quantity_time_text((double)w->return_us / n, back), what[remedy]);
}

static void pack_one(struct bufpack *p, const struct function *fn, enum cost_remedy remedy)
{
	static const char *const names[_COST_REMEDY_MAX] = {
		[COST_REMEDY_PUT] = "put",
		[COST_REMEDY_MEMFD] = "memfd",
		[COST_REMEDY_FDS] = "fds",
		[COST_REMEDY_PURE] = "pure",
		[COST_REMEDY_BATCH] = "submit_many",
		[COST_REMEDY_LARGER] = "larger_jobs",
	};
	char address[PROTO_ADDRESS_BYTES + 1], text[ADVICE_BYTES];

	if (remedy < COST_REMEDY_PURE)
		say_sizes(text, &fn->cost, remedy);
	else
		say_times(text, &fn->cost.window, remedy);
	snprintf(address, sizeof(address), "%s/%s", fn->pool->name, fn->name);
	bufpack_map(p, 3);
	bufpack_field_text(p, "function", address);
	bufpack_field_text(p, "remedy", names[remedy]);
	bufpack_field_text(p, "text", text);
}

size_t cost_count_advice(const struct function *fn)
{
	return (size_t)__builtin_popcount(cost_remedies(&fn->cost, fn->is_pure));
}

void cost_pack_advice(struct bufpack *p, const struct function *fn)
{
	unsigned set = cost_remedies(&fn->cost, fn->is_pure);

	for (int r = 0; r < _COST_REMEDY_MAX; r++)
		if (set >> r & 1)
			pack_one(p, fn, (enum cost_remedy)r);
}
