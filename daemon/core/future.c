/* Futures: the state table, the table by ID, and what times mean.
 *
 *	   ┌──────────────────── runs again ───────────────────┐
 *	   │        ┌──────────────── taken back ──────────────┐
 *	   ▼        ▼                                          │
 *	delayed ► queued ──────────── first in its line ───► running ──► done, failed, lost
 *	blocked ►   │                                          │ bell
 *	            └─► cancelled, timeout,                    ▼
 *	                failed (quota), aborted           cancelling ─► cancelled, timeout, aborted,
 *	                                                                or runs again
 *
 * `running` is the daemon's best knowledge: the job is the first in its worker's line. If the
 * worker turns out not to have received it, the job goes back to the queue and nothing happened.
 * Only a worker that breaks the protocol, by receiving what it does not run, makes a queued job
 * lost or cancelling.
 */
#include "daemon/core/future.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "daemon/core/core.h"

#define TO(s) (1u << FUTURE_##s)

static const uint16_t legal[_FUTURE_STATE_MAX] = {
	[FUTURE_DELAYED] = TO(QUEUED) | TO(BLOCKED) | TO(CANCELLED) | TO(TIMEOUT) | TO(ABORTED),
	[FUTURE_BLOCKED] = TO(QUEUED) | TO(CANCELLED) | TO(TIMEOUT) | TO(ABORTED),
	[FUTURE_QUEUED] = TO(DELAYED) | TO(RUNNING) | TO(CANCELLING) | TO(FAILED) | TO(CANCELLED) |
			  TO(TIMEOUT) | TO(LOST) | TO(ABORTED),
	[FUTURE_RUNNING] = TO(DELAYED) | TO(QUEUED) | TO(CANCELLING) | TO(DONE) | TO(FAILED) |
			   TO(TIMEOUT) | TO(LOST),
	[FUTURE_CANCELLING] = TO(DELAYED) | TO(QUEUED) | TO(CANCELLED) | TO(TIMEOUT) | TO(ABORTED),
};

static_assert(_FUTURE_STATE_MAX <= 16, "a set of states fits its type");
static_assert(offsetof(struct future, id) == offsetof(struct future, timer.order),
	"of equal times the older one comes first");

bool future_may_become(enum future_state from, enum future_state to)
{
	return legal[from] >> to & 1;
}

struct waiter *future_next_watcher(const struct future *f, struct waiter *w)
{
	if (!f->is_watched)
		return NULL;
	w = w ? w->next : f->waiters;
	return w && w->is_watching ? w : NULL;
}

static void tell_watchers(struct future *f)
{
	struct core *c = future_pool(f)->core;
	struct waiter *w = NULL;

	while ((w = future_next_watcher(f, w)))
		c->ops->moved(c->shell, w, f);
}

void future_set_state(struct future *f, enum future_state to)
{
	assert(future_may_become(f->state, to));
	f->state = to;
	if (f->is_watched && !future_state_is_final(to))
		tell_watchers(f);
}

uint32_t future_uid(const struct future *f)
{
	return account_uid(f->account);
}

const char *future_group(const struct future *f)
{
	return future_tags(f) && future_tags(f)->group.name ? tag_text(&future_tags(f)->group)
							    : NULL;
}

/* ---- its annex ---- */

int future_take_annex(struct future *f)
{
	if (!f->annex)
		f->annex = calloc(1, sizeof(*f->annex));
	return f->annex ? 0 : -ENOMEM;
}

/* ---- its run ---- */

const struct run run_none;

int future_take_run(struct core *c, struct future *f)
{
	struct run *run = slab_take(&c->runs);

	if (!run)
		return -ENOMEM;
	assert(f->run == &run_none);
	f->run = run;
	return 0;
}

void future_give_run(struct core *c, struct future *f)
{
	if (f->run != &run_none)
		slab_give(&c->runs, f->run);
	f->run = future_no_run();
}

struct moved future_out(const struct future *f)
{
	struct moved out = f->run->out;

	if (future_state_is_final(f->state))
		out.copied_bytes += f->end.copied_bytes;
	return out;
}

static uint64_t span(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

struct future_timing future_timing(const struct future *f, uint64_t now_us)
{
	const struct run *run = f->run;
	uint64_t end_us = future_finished_us(f) ? future_finished_us(f) : now_us;
	uint64_t head_us = run->head_us ? run->head_us : end_us;
	struct future_timing t = {.queued_us = span(f->submitted_us, head_us)};

	if (!run->head_us)
		return t;
	if (!run->started_us) {
		/* Running, or never heard of again: the worker has it, more is not known. */
		t.run_us = span(head_us, end_us);
		return t;
	}
	t.handover_us = span(head_us, run->started_us);
	t.run_us = run->run_us;
	t.return_us = span(run->started_us + run->run_us, end_us);
	return t;
}

/* ---- the table ----------------------------------------------------------------------------------
 * IDs count up, so the ID itself spreads futures that were made together evenly: no chain is longer
 * than another, and the second of two is found nearly as fast as the first. */

int future_table_init(struct future_table *t)
{
	*t = (struct future_table){.n_buckets = 1024};
	t->buckets = calloc(t->n_buckets, sizeof(*t->buckets));
	return t->buckets ? 0 : -ENOMEM;
}

void future_table_deinit(struct future_table *t)
{
	free(t->buckets);
	*t = (struct future_table){0};
}

static struct future **bucket_of(const struct future_table *t, uint64_t id)
{
	return &t->buckets[id & (t->n_buckets - 1)];
}

static void link_in(struct future_table *t, struct future *f)
{
	struct future **bucket = bucket_of(t, f->id);

	f->next_in_table = *bucket;
	*bucket = f;
}

/* Without memory to grow it goes on with longer chains. */
static void grow(struct future_table *t)
{
	struct future_table bigger = {.n_buckets = t->n_buckets * 2, .n = t->n};

	bigger.buckets = calloc(bigger.n_buckets, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return;
	for (uint32_t i = 0; i < t->n_buckets; i++)
		for (struct future *f = t->buckets[i], *next; f; f = next) {
			next = f->next_in_table;
			link_in(&bigger, f);
		}
	free(t->buckets);
	*t = bigger;
}

void future_table_add(struct future_table *t, struct future *f)
{
	if (t->n / FUTURE_TABLE_CHAIN >= t->n_buckets && t->n_buckets < 1u << 30)
		grow(t);
	link_in(t, f);
	t->n++;
}

void future_table_remove(struct future_table *t, struct future *f)
{
	struct future **link = bucket_of(t, f->id);

	while (*link != f)
		link = &(*link)->next_in_table;
	*link = f->next_in_table;
	t->n--;
}

struct future *future_table_find(const struct future_table *t, uint64_t id)
{
	struct future *f = *bucket_of(t, id);

	while (f && f->id != id)
		f = f->next_in_table;
	return f;
}
