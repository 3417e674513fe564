#include "daemon/loss.h"

#include <sys/wait.h>

#define LOSS_BYTES (2u * OUTPUT_TAIL_BYTES + 1024u)

static uint64_t timeval_us(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static void pack_rusage(struct bufpack *p, const struct rusage *u)
{
	bufpack_map(p, 3);
	bufpack_field_seconds(p, "utime", timeval_us(&u->ru_utime));
	bufpack_field_seconds(p, "stime", timeval_us(&u->ru_stime));
	bufpack_field_uint(p, "maxrss_kib", (uint64_t)u->ru_maxrss);
}

static void pack_end(struct bufpack *p, int status)
{
	bool is_signal = WIFSIGNALED(status);

	bufpack_text(p, is_signal ? "signal" : "exit_code");
	bufpack_uint(p, (uint64_t)(is_signal ? WTERMSIG(status) : WEXITSTATUS(status)));
	bufpack_field_bool(p, "core", is_signal && WCOREDUMP(status));
}

static struct payload *keep(const struct bufpack *p, uint64_t *ret_bytes)
{
	struct payload *details;
	const char *reason;

	if (bufpack_error(p) < 0 ||
		payload_new(buf_head(p->buf), buf_used(p->buf), NULL, 0, &details, &reason) != 0)
		return NULL;
	*ret_bytes = payload_charge_bytes(details);
	return details;
}

struct payload *loss_describe(
	const struct worker_link *l, const struct future *f, uint64_t *ret_bytes)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(LOSS_BYTES);
	char tail[OUTPUT_TAIL_BYTES];
	size_t tail_len = l->is_shared ? 0 : output_tail(&l->output, tail);
	struct bufpack p;

	bufpack_init(&p, &b);
	bufpack_map(&p, 6u + (tail_len > 0) + l->is_broken);
	bufpack_text(&p, "pid");
	bufpack_uint(&p, (uint64_t)l->pid);
	pack_end(&p, l->status);
	bufpack_text(&p, "oom");
	bufpack_bool(&p, l->was_oom);
	bufpack_text(&p, "attempt");
	bufpack_uint(&p, f->run->attempt);
	bufpack_text(&p, "rusage");
	pack_rusage(&p, &l->usage);
	if (tail_len > 0) {
		bufpack_text(&p, "stderr_tail");
		bufpack_text_n(&p, tail, tail_len);
	}
	if (l->is_broken) {
		bufpack_text(&p, "reason");
		bufpack_text(&p, "protocol");
	}
	return keep(&p, ret_bytes);
}

struct payload *loss_describe_abort(const struct future *f, uint64_t *ret_bytes)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(LOSS_BYTES);
	struct bufpack p;

	if (!future_pool(f)->reason)
		return NULL;
	bufpack_init(&p, &b);
	bufpack_map(&p, 2);
	bufpack_text(&p, "cause");
	bufpack_text(&p, "pool_removed");
	bufpack_text(&p, "reason");
	bufpack_text(&p, future_pool(f)->reason);
	return keep(&p, ret_bytes);
}
