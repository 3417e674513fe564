/* Nearly all futures have one of few times to live, and what ends later then goes later: so a list
 * behind which it is put keeps the order by itself, in and out at O(1) and touching nobody but its
 * neighbours. Each row takes what does not go before its last one; the rows that come first fill
 * with the longest times, so that after a few futures each span has found its row.
 */
#include "daemon/core/shelf.h"

void shelf_init(struct shelf *s)
{
	for (unsigned i = 0; i < SHELF_ROWS; i++) {
		TAILQ_INIT(&s->rows[i].futures);
		s->rows[i].last_us = 0;
	}
}

bool shelf_put(struct shelf *s, struct future *f, uint64_t at_us)
{
	for (unsigned i = 0; i < SHELF_ROWS; i++) {
		struct shelf_row *row = &s->rows[i];

		if (at_us < row->last_us && !TAILQ_EMPTY(&row->futures))
			continue;
		TAILQ_INSERT_TAIL(&row->futures, f, in_line);
		row->last_us = at_us;
		f->timer.key = at_us;
		f->shelf_row = (uint8_t)((i + 1) & 7);
		return true;
	}
	return false;
}

void shelf_take(struct shelf *s, struct future *f)
{
	TAILQ_REMOVE(&s->rows[f->shelf_row - 1].futures, f, in_line);
	f->shelf_row = 0;
}

struct future *shelf_first(const struct shelf *s)
{
	struct future *first = NULL;

	for (unsigned i = 0; i < SHELF_ROWS; i++) {
		struct future *f = TAILQ_FIRST(&s->rows[i].futures);

		if (f && (!first || f->timer.key < first->timer.key))
			first = f;
	}
	return first;
}
