/* What the checks of sizes and of trials share. */
#pragma once

#include "tests/unit/core_fixture.h"

#define SECOND_US 1000000ull

static inline unsigned serving(void)
{
	return pool->n_by_state[SLOT_IDLE] + pool->n_by_state[SLOT_BUSY];
}

/* Who starts is ready, whose link is closed leaves; until nothing happens any more. */
static inline void settle(void)
{
	for (bool is_more = true; is_more;) {
		is_more = false;
		fake_turn(&fake);
		for (unsigned i = 0; i < pool->n_slots; i++) {
			struct fake_worker *w = fake_worker(pool, i);

			if (fake_ready(w))
				is_more = true;
			if (w->life == FAKE_UP && w->is_closed && !w->n_held && !w->n_inbox) {
				bury(w);
				is_more = true;
			}
		}
	}
}

static inline int try_submit(struct future **ret)
{
	struct submission s = {
		.account = account[0], .pool = pool, .function = pool->functions, .ttl_us = 1000};

	return core_submit(core, &s, fake.now_us, ret, NULL);
}
