/* Each state has its clocks:
 *
 *	delayed, blocked    the end of the delay; deadline
 *	queued              start_within, counted from when the job came into the queue; deadline
 *	running             timeout; deadline
 *	final               the time to live
 *
 * A future has one node among the core's timers, and its key is the earliest of them.
 */
#include "daemon/core/terms.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/future.h"

size_t terms_bytes(const struct wishes *w)
{
	bool is_wanted = w->delay_us || w->start_within_us || w->deadline_us || w->retries ||
			 w->retry_of || w->n_after;

	return is_wanted ? sizeof(struct terms) + w->n_after * sizeof(struct edge) : 0;
}

struct terms *terms_new(const struct wishes *w, uint64_t now_us)
{
	struct terms *t = calloc(1, sizeof(*t) + w->n_after * sizeof(*t->edges));

	if (!t)
		return NULL;
	*t = (struct terms){
		.not_before_us = heap_after(now_us, w->delay_us),
		.start_by_us = HEAP_NEVER,
		.deadline_us = w->deadline_us ? heap_after(now_us, w->deadline_us) : HEAP_NEVER,
		.wishes = *w,
		.n_edges = w->n_after,
	};
	memset(t->edges, 0, w->n_after * sizeof(*t->edges)); /* not tied yet */
	t->wishes.after = NULL;
	t->wishes.n_after = 0;
	STAILQ_INIT(&t->attempts);
	return t;
}

struct terms *terms_free(struct terms *t)
{
	free(t);
	return NULL;
}

/* Of this state, beside the deadline. */
static uint64_t own_clock_us(const struct future *f)
{
	switch (f->state) {
	case FUTURE_QUEUED: return future_terms(f) ? future_terms(f)->start_by_us : HEAP_NEVER;
	case FUTURE_RUNNING:
		return f->timeout_us ? heap_after(f->run->head_us, f->timeout_us) : HEAP_NEVER;
	default: return HEAP_NEVER;
	}
}

static uint64_t deadline_us(const struct future *f)
{
	return future_terms(f) ? future_terms(f)->deadline_us : HEAP_NEVER;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t terms_next_us(const struct future *f)
{
	if (future_state_is_final(f->state))
		return heap_after(future_finished_us(f), f->ttl_us);
	if (f->state == FUTURE_DELAYED)
		return earlier(future_terms(f)->not_before_us, deadline_us(f));
	return earlier(own_clock_us(f), deadline_us(f));
}

enum future_clock terms_due(const struct future *f, uint64_t now_us)
{
	uint64_t own_us = own_clock_us(f);

	if (own_us < deadline_us(f) && own_us <= now_us)
		return f->state == FUTURE_RUNNING ? FUTURE_CLOCK_TIMEOUT
						  : FUTURE_CLOCK_START_WITHIN;
	return deadline_us(f) <= now_us ? FUTURE_CLOCK_DEADLINE : FUTURE_CLOCK_NONE;
}
