/* What the checks of packets share. */
#pragma once

#include "tests/unit/core_fixture.h"

#define MANY (POOL_PACK_JOBS + 8)

static struct future *jobs[MANY];
static struct fake_worker *w;

static inline struct future *submit_pure(struct submission s)
{
	s.function = pool->functions->next;
	return submit_with(0, s);
}

/* "g" is pure and short, its only worker has done something, and the limits are high. */
static inline void set_up(void)
{
	const struct account_limits high = {.uid = {.n = {1000000, 1000, 1000, 1000}},
		.all = {.n = {1000000, 1000, 1000, 1000}}};

	core_setup();
	core_set_limits(core, &high);
	pool->config.ahead_max = 64;
	pool->config.n_workers = 1;
	ck_assert_int_eq(pool_put_function(pool, "g", "", true), 0);
	fake_turn(&fake);
	w = pool->slots[0]->shell;
	ck_assert(fake_ready(w));
	jobs[0] = submit_pure((struct submission){0});
	fake_turn(&fake);
	fake_receive(w);
	finish(w, 0);
	learn(pool->functions->next, 1000);
	fake.n_hand_overs = 0;
}

/* So many, with the only worker in one packet. */
static inline void hand_over(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jobs[i] = submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(w->slot->n_line, n);
	ck_assert_uint_eq(fake.n_packs, 1);
}

static inline void receive(unsigned n)
{
	hand_over(n);
	ck_assert(fake_receive(w));
	ck_assert_uint_eq(w->n_held, n);
}
