/* What the core wants done, and who does it. */
#include "daemon/workers.h"

#include "daemon/attempts.h"
#include "daemon/extra.h"
#include "daemon/final_hook.h"
#include "daemon/lending.h"
#include "daemon/link_reader.h"
#include "daemon/loss.h"
#include "daemon/payload.h"
#include "daemon/zygote.h"
#include "daemon/zygotes.h"

static int hand_over(
	void *shell, struct slot *s, struct future *const *jobs, unsigned n, unsigned *ret_n)
{
	return worker_link_hand_over(s->shell, jobs, n, ret_n);
}

static void take_back(void *shell, struct slot *s)
{
	worker_link_take_back(s->shell);
}

static void read_answers(void *shell, struct slot *s)
{
	link_reader_drain(s->shell);
}

static void ring(void *shell, struct slot *s, struct future *f)
{
	worker_link_ring(s->shell, f);
}

static int pass_signal(void *shell, struct slot *s, struct future *f, int signo)
{
	return worker_link_signal(s->shell, f, signo);
}

static void kill_worker(void *shell, struct slot *s)
{
	worker_link_kill(s->shell);
}

static void close_link(void *shell, struct slot *s)
{
	worker_link_close(s->shell);
}

static bool fork_worker(void *shell, struct slot *s)
{
	return workers_may_fork(shell) && zygote_fork(s->pool->shell, s);
}

static void tell(void *shell, struct waiter *w, struct future *f)
{
	final_hook_tell(w, f);
}

static void moved(void *shell, struct waiter *w, struct future *f)
{
	final_hook_moved(w, f);
}

static struct payload *describe_loss(
	void *shell, struct slot *s, struct future *f, uint64_t *ret_bytes)
{
	return loss_describe(s->shell, f, ret_bytes);
}

static struct payload *describe_abort(void *shell, struct future *f, uint64_t *ret_bytes)
{
	return loss_describe_abort(f, ret_bytes);
}

static struct payload *describe_attempt(
	void *shell, struct future *f, enum future_state state, uint64_t *ret_bytes)
{
	return attempts_describe(f, state, ret_bytes);
}

/* At the end of the daemon there are no workers any more. */
static void drop_payload(void *shell, struct payload *p)
{
	if (p && shell)
		lending_end(workers_links(shell), p);
	payload_free(p);
}

static void drop_extra(void *shell, struct future_extra *e)
{
	extra_free(e);
}

static void drop_pool(void *shell, struct pool *p)
{
	zygotes_drop_pool(workers_zygotes(shell), p);
}

const struct core_ops workers_ops = {
	.hand_over = hand_over,
	.take_back = take_back,
	.read_answers = read_answers,
	.ring = ring,
	.signal = pass_signal,
	.kill = kill_worker,
	.close_link = close_link,
	.fork_worker = fork_worker,
	.tell = tell,
	.moved = moved,
	.describe_loss = describe_loss,
	.describe_abort = describe_abort,
	.describe_attempt = describe_attempt,
	.drop_payload = drop_payload,
	.drop_extra = drop_extra,
	.drop_pool = drop_pool,
};
