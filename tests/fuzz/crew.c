/* Workers that are made of a list: what they are given stands in it, and at each step they do what
 * the input said. */
#include "tests/fuzz/crew.h"

#include <fcntl.h>
#include <string.h>

#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/extra.h"
#include "daemon/final_hook.h"
#include "daemon/payload.h"
#include "proto/fdpass.h"
#include "tests/fuzz/fuzz.h"

enum {
	PLACES = 2 * CREW_WORKERS, /* those who leave may be there too */
	LINE = 2 * POOL_PACK_JOBS,
};

struct fake_worker {
	struct slot *slot;
	uint32_t line[LINE]; /* msgids */
	struct future *jobs[LINE];
	bool shares[LINE]; /* the packet of the one before */
	unsigned n;
	bool is_asked, is_up, is_rung, is_killed, is_closed;
};

uint8_t crew_behaviour;
int crew_output;

static struct fake_worker workers[CREW_POOLS][PLACES];

static struct fake_worker *worker_of(const struct slot *s)
{
	return &workers[s->pool != TAILQ_FIRST(&s->pool->core->pools)][s->number];
}

static void drop_first(struct fake_worker *w)
{
	w->n--;
	memmove(w->line, w->line + 1, w->n * sizeof(*w->line));
	memmove(w->jobs, w->jobs + 1, w->n * sizeof(*w->jobs));
	memmove(w->shares, w->shares + 1, w->n * sizeof(*w->shares));
}

static int op_hand_over(
	void *shell, struct slot *s, struct future *const *jobs, unsigned n, unsigned *ret_n)
{
	struct fake_worker *w = worker_of(s);

	(void)shell;
	if (w->n + n > LINE || (crew_behaviour & 0xc0) == 0xc0)
		return CORE_E_LATER;
	for (unsigned i = 0; i < n; i++, w->n++) {
		w->line[w->n] = jobs[i]->run->msgid;
		w->jobs[w->n] = jobs[i];
		w->shares[w->n] = jobs[i]->run->place > 0;
	}
	*ret_n = n;
	return 0;
}

/* The first packet was received, in any case if one of its jobs is answered. */
static void op_take_back(void *shell, struct slot *s)
{
	struct fake_worker *w = worker_of(s);
	unsigned n = w->n, kept = 0;

	(void)shell;
	if (n > 0 && (w->shares[0] || !(crew_behaviour & 2)))
		while (++kept < n && w->shares[kept])
			;
	w->n = kept;
	for (unsigned i = kept; i < n; i++)
		if (!w->shares[i])
			must(core_taken_back(s, w->line[i]) == 0);
}

static void op_read_answers(void *shell, struct slot *s)
{
	(void)shell;
	(void)s;
}

static void op_ring(void *shell, struct slot *s, struct future *f)
{
	(void)shell;
	must(worker_of(s)->n && worker_of(s)->jobs[0] == f);
	worker_of(s)->is_rung = true;
}

static int op_signal(void *shell, struct slot *s, struct future *f, int signo)
{
	(void)shell;
	must(worker_of(s)->n && worker_of(s)->jobs[0] == f && signo > 0);
	return 0;
}

static void op_kill(void *shell, struct slot *s)
{
	(void)shell;
	worker_of(s)->is_killed = true;
}

static void op_close_link(void *shell, struct slot *s)
{
	(void)shell;
	worker_of(s)->is_closed = true;
}

static bool op_fork_worker(void *shell, struct slot *s)
{
	(void)shell;
	*worker_of(s) = (struct fake_worker){.slot = s, .is_asked = true};
	return true;
}

static void op_tell(void *shell, struct waiter *w, struct future *f)
{
	(void)shell;
	final_hook_tell(w, f);
}

static void op_moved(void *shell, struct waiter *w, struct future *f)
{
	(void)shell;
	final_hook_moved(w, f);
}

static struct payload *op_describe_abort(void *shell, struct future *f, uint64_t *ret_bytes)
{
	return NULL;
}

static struct payload *op_describe_loss(
	void *shell, struct slot *s, struct future *f, uint64_t *ret_bytes)
{
	(void)shell;
	(void)s;
	(void)f;
	(void)ret_bytes;
	return NULL;
}

static struct payload *op_describe_attempt(
	void *shell, struct future *f, enum future_state state, uint64_t *ret_bytes)
{
	(void)shell;
	return attempts_describe(f, state, ret_bytes);
}

static void op_drop_payload(void *shell, struct payload *p)
{
	(void)shell;
	payload_free(p);
}

static void op_drop_extra(void *shell, struct future_extra *e)
{
	(void)shell;
	extra_free(e);
}

const struct core_ops crew_ops = {
	.hand_over = op_hand_over,
	.take_back = op_take_back,
	.read_answers = op_read_answers,
	.ring = op_ring,
	.signal = op_signal,
	.kill = op_kill,
	.close_link = op_close_link,
	.fork_worker = op_fork_worker,
	.tell = op_tell,
	.moved = op_moved,
	.describe_loss = op_describe_loss,
	.describe_abort = op_describe_abort,
	.describe_attempt = op_describe_attempt,
	.drop_payload = op_drop_payload,
	.drop_extra = op_drop_extra,
};

/* The input becomes the result, or the details of a failure. */
static void answer(struct fake_worker *w)
{
	struct future *f = w->jobs[0];
	struct answer a = {
		.msgid = w->line[0],
		.value_bytes = payload_charge_bytes(f->input),
		.value_fds = payload_charge_fds(f->input),
		.out = payload_moved(f->input),
		.is_failure = crew_behaviour & 4 || w->is_rung,
	};

	must(payload_copy(f->input, &a.value) == 0);
	if (a.is_failure)
		a.failure = crew_behaviour & 8 ? FAILURE_FUNCTION : FAILURE_EXIT;
	if (crew_behaviour & 16)
		extra_set_output(f, STREAM_STDOUT, fcntl(crew_output, F_DUPFD_CLOEXEC, 0));
	if (crew_behaviour & 32)
		extra_set_progress(f, 1, 2, "half", 4);
	drop_first(w);
	must(core_answered(w->slot, &a, clock_now_us()) == 0);
}

static void work(struct fake_worker *w)
{
	uint64_t now_us = clock_now_us();

	if (w->is_killed || (w->is_closed && w->n == 0)) {
		struct slot *s = w->slot;

		op_take_back(NULL, s);
		*w = (struct fake_worker){0};
		core_worker_died(s, &(struct worker_end){0}, now_us);
	} else if (w->is_asked) {
		w->is_asked = false;
		w->is_up = true;
		core_worker_ready(w->slot, now_us);
	} else if (w->n) {
		answer(w);
	}
}

void crew_work(void)
{
	for (unsigned i = 0; i < CREW_POOLS * PLACES; i++)
		if (workers[i / PLACES][i % PLACES].slot)
			work(&workers[i / PLACES][i % PLACES]);
}
