/* A pack: what a worker's link is given by one system call. Among many jobs for few workers that is
 * several packets, as long as together they are no more than one packet may be; so whoever is next
 * waits for nobody longer than he may in a packet.
 *
 * A packet: the kernel gives it away whole: received, all of it is started, one after the other;
 * what dies under the first keeps those behind it from starting, and they cannot come back while it
 * runs. So only jobs that may run twice (pure ones) share a packet, they are short and small, and
 * together they are expected to take no longer than POOL_PACK_US: whoever stands in it waits for
 * the others no longer than that on average, however rare and long the exceptions are that make
 * the mean.
 *
 * Jobs leave the queue one by one, since only then it shows who is next; those that the link does
 * not take go back in reverse, each with the mark of what its leaving changed.
 */
#include "daemon/core/pack.h"

#include <errno.h>

#include "daemon/core/edge.h"
#include "daemon/core/line.h"
#include "daemon/core/reservation.h"

/* Rooms for results that are taken long before there is one are to keep nobody from the rest of his
 * account. */
static bool reaches(const struct slot *s, unsigned n, uint64_t wait_ns, struct function *fn)
{
	bool is_alone = n <= 1 && !function_is_long(fn);

	return n <= s->pool->config.ahead_max && (is_alone || wait_ns <= POOL_AHEAD_US * 1000);
}

bool pack_reaches(const struct slot *s, unsigned n, uint64_t ahead_ns, const struct future *f)
{
	struct amounts want = reservation_of(s->pool);

	return reaches(s, n, heap_after(ahead_ns, function_wait_ns(f->function)), f->function) &&
	       (n <= POOL_AHEAD_LEAST || account_n_in_half(f->account, &want, 1) > 0);
}

/* Its packet is a call of its own. */
static bool brings_along(const struct future *f)
{
	return f->input_fds || edges_next_input(f, NULL);
}

/* May others be in its packet? */
static bool may_share(const struct future *f)
{
	return f->function->is_pure && !f->function->n_apart && !f->is_alone && !brings_along(f);
}

void pack_begin(struct pack *k, struct slot *s, unsigned most)
{
	k->slot = s;
	k->n = k->n_last = 0;
	k->is_open = false;
	k->most = most < POOL_PACK_JOBS ? most : POOL_PACK_JOBS;
	k->run_ns = k->wait_ns = 0;
	k->bytes = 0;
	k->account = NULL;
	k->function = NULL;
}

/* The jobs of a packet are nearly always one owner's, and of one function. */
static void look_at_function(struct pack *k, struct function *fn)
{
	if (k->function == fn)
		return;
	k->function = fn;
	k->each_run_ns = function_run_ns(fn);
	k->each_wait_ns = function_wait_ns(fn);
	k->each_charge_us = (function_mean_run_ns(fn) + 999) / 1000;
}

static void look_at_account(struct pack *k, const struct account *a)
{
	const struct pool *p = k->slot->pool;
	struct amounts want;
	unsigned n;

	if (k->account == a)
		return;
	k->account = a;
	want = reservation_of_packed(p);
	n = account_n_results(a, &want, POOL_PACK_JOBS);
	k->n_fit = k->n + accounts_n_results(&p->core->accounts, &want, n);
	k->n_in_half = k->n + account_n_in_half(a, &want, POOL_PACK_JOBS);
}

int pack_add(struct pack *k, struct future *f)
{
	bool shares = may_share(f);
	struct run *run;

	if (future_take_run(k->slot->pool->core, f) < 0)
		return -ENOMEM;
	if (brings_along(f))
		k->most = 1;
	if (!k->is_open || !shares) {
		k->n_last = 0;
		k->account = NULL; /* all the room for a result: what is left is another number */
	}
	k->is_open = shares;
	look_at_function(k, f->function);
	run = f->run;
	run->msgid = k->slot->next_msgid + k->n;
	run->place = k->n_last++ & (POOL_PACK_JOBS - 1);
	reservation_take(f);
	run->attempt = future_terms(f) ? (uint16_t)(future_terms(f)->n_ended + 1) : 1;
	run->wait_ns = (uint32_t)k->each_wait_ns;
	k->wait_ns += run->wait_ns;
	k->run_ns = heap_after(k->run_ns, k->each_run_ns);
	k->bytes += f->in_inline_bytes;
	k->jobs[k->n] = f;
	k->marks[k->n++] = queue_pop(&k->slot->pool->queue, f, k->each_charge_us);
	return 0;
}

/* Room for its result; n jobs would stand before it. */
static bool has_room_for_result(struct pack *k, const struct future *f, unsigned n)
{
	struct amounts want;

	if (k->is_open && may_share(f)) {
		look_at_account(k, f->account);
		return k->n < k->n_fit && (n <= POOL_AHEAD_LEAST || k->n < k->n_in_half);
	}
	want = reservation_of(k->slot->pool);
	return account_check_result(f->account, &want, NULL) == 0 &&
	       (n <= POOL_AHEAD_LEAST || account_n_in_half(f->account, &want, 1) > 0);
}

bool pack_has_room(struct pack *k, const struct future *f)
{
	const struct slot *s = k->slot;
	unsigned n = s->n_line + k->n;

	if (k->n >= k->most || brings_along(f))
		return false;
	look_at_function(k, f->function);
	return k->bytes + f->in_inline_bytes <= POOL_PACK_BYTES &&
	       heap_after(k->run_ns, k->each_run_ns) <= POOL_PACK_US * 1000 &&
	       reaches(s, n, heap_after(s->ahead_ns + k->wait_ns, k->each_wait_ns), f->function) &&
	       has_room_for_result(k, f, n);
}

int pack_send(struct pack *k, uint64_t now_us)
{
	struct slot *s = k->slot;
	struct core *c = s->pool->core;
	unsigned n_sent = 0;
	int r;

	if (k->n == 0)
		return -ENOMEM;
	r = c->ops->hand_over(c->shell, s, k->jobs, k->n, &n_sent);
	if (r != 0)
		n_sent = 0;
	else if (n_sent < k->n)
		r = CORE_E_LATER;
	while (k->n > n_sent) {
		struct future *f = k->jobs[--k->n];

		reservation_give(f);
		future_give_run(c, f);
		queue_unpop(&s->pool->queue, f, &k->marks[k->n]);
	}
	s->next_msgid += n_sent;
	for (unsigned i = 0; i < n_sent; i++)
		line_append(s, k->jobs[i], now_us);
	return r;
}
