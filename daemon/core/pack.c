/* A packet.
 *
 * The kernel gives it away whole: received, all of it is started, one after the other; what dies
 * under the first keeps those behind it from starting, and they cannot come back while it runs. So
 * only jobs that may run twice (pure ones) share a packet, they are short and small, and together
 * they are expected to take no longer than POOL_PACK_US: whoever stands in it waits for the others
 * no longer than that on average, however rare and long the exceptions are that make the mean.
 *
 * Jobs leave the queue one by one, since only then it shows who is next; if the link takes nothing,
 * they go back in reverse, each with the mark of what its leaving changed.
 */
#include "daemon/core/pack.h"

#include <errno.h>

#include "daemon/core/edge.h"
#include "daemon/core/line.h"
#include "daemon/core/reservation.h"

/* Rooms for results that are taken long before there is one are to keep nobody from the rest of his
 * account. */
bool pack_reaches(const struct slot *s, unsigned n, uint64_t ahead_ns, const struct future *f)
{
	struct amounts want = reservation_of(s->pool);
	uint64_t wait_ns = heap_after(ahead_ns, function_wait_ns(f->function));
	bool is_alone = n <= 1 && !function_is_long(f->function);

	return n <= s->pool->config.ahead_max && (is_alone || wait_ns <= POOL_AHEAD_US * 1000) &&
	       (n <= POOL_AHEAD_LEAST || account_is_half_free(f->account, &want));
}

/* May others be in its packet? */
static bool may_share(const struct future *f)
{
	return f->function->is_pure && !f->is_alone && !f->input_fds && !edges_next_input(f, NULL);
}

void pack_begin(struct pack *k, struct slot *s, unsigned most)
{
	k->slot = s;
	k->n = 0;
	k->most = most < POOL_PACK_JOBS ? most : POOL_PACK_JOBS;
	k->run_ns = k->wait_ns = 0;
	k->bytes = 0;
}

int pack_add(struct pack *k, struct future *f)
{
	struct run *run;

	if (future_take_run(k->slot->pool->core, f) < 0)
		return -ENOMEM;
	if (!may_share(f))
		k->most = 1;
	reservation_take(f);
	run = f->run;
	run->msgid = k->slot->next_msgid + k->n;
	run->place = k->n & (POOL_PACK_JOBS - 1);
	run->attempt = f->terms ? (uint16_t)(f->terms->n_ended + 1) : 1;
	run->wait_ns = (uint32_t)function_wait_ns(f->function);
	k->wait_ns += run->wait_ns;
	k->run_ns = heap_after(k->run_ns, function_run_ns(f->function));
	k->bytes += f->in_inline_bytes;
	k->jobs[k->n] = f;
	k->marks[k->n++] = queue_pop(&f->pool->queue, f, (f->function->mean_run_ns + 999) / 1000);
	return 0;
}

bool pack_has_room(const struct pack *k, const struct future *f)
{
	const struct slot *s = k->slot;

	return k->n < k->most && may_share(f) && k->bytes + f->in_inline_bytes <= POOL_PACK_BYTES &&
	       heap_after(k->run_ns, function_run_ns(f->function)) <= POOL_PACK_US * 1000 &&
	       pack_reaches(s, s->n_line + k->n, s->ahead_ns + k->wait_ns, f);
}

int pack_send(struct pack *k, uint64_t now_us)
{
	struct slot *s = k->slot;
	struct core *c = s->pool->core;
	int r;

	if (k->n == 0)
		return -ENOMEM;
	r = c->ops->hand_over(c->shell, s, k->jobs, k->n);
	if (r == 0) {
		s->next_msgid += k->n;
		for (unsigned i = 0; i < k->n; i++)
			line_append(s, k->jobs[i], now_us);
		return 0;
	}
	for (unsigned i = k->n; i-- > 0;) {
		reservation_give(k->jobs[i]);
		future_give_run(c, k->jobs[i]);
		queue_unpop(&s->pool->queue, k->jobs[i], &k->marks[i]);
	}
	return r;
}
