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

#include "daemon/core/future.h"

size_t terms_bytes(const struct wishes *w)
{
	bool is_wanted = w->delay_us || w->start_within_us || w->deadline_us || w->retries ||
			 w->retry_of;

	return is_wanted ? sizeof(struct terms) : 0;
}

struct terms *terms_new(const struct wishes *w, uint64_t now_us)
{
	struct terms *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct terms){
		.not_before_us = heap_after(now_us, w->delay_us),
		.start_by_us = HEAP_NEVER,
		.deadline_us = w->deadline_us ? heap_after(now_us, w->deadline_us) : HEAP_NEVER,
		.wishes = *w,
	};
	return t;
}

struct terms *terms_free(struct terms *t)
{
	free(t);
	return NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t terms_next_us(const struct future *f)
{
	const struct terms *t = f->terms;
	uint64_t deadline_us = t ? t->deadline_us : HEAP_NEVER;

	switch (f->state) {
	case FUTURE_DELAYED: return earlier(t->not_before_us, deadline_us);
	case FUTURE_BLOCKED: return deadline_us;
	case FUTURE_QUEUED: return t ? earlier(t->start_by_us, deadline_us) : HEAP_NEVER;
	case FUTURE_RUNNING:
		if (!f->timeout_us)
			return deadline_us;
		return earlier(heap_after(f->head_us, f->timeout_us), deadline_us);
	default: return heap_after(f->finished_us, f->ttl_us);
	}
}
