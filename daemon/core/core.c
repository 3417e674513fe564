/* The core's doors: time, the end. Futures' births are in birth.c, their ends in life.c and
 * ending.c, pools in pools.c, the way to the workers in handover.c and line.c.
 *
 * Everything here is driven from outside and answers at once. Events change state; core_turn(),
 * called when a batch of events is through, does what is due and decides who runs what. So a
 * hundred submits of one turn are one decision, and a simulator can put any two events in any
 * order.
 */
#include "daemon/core/core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/attempt.h"
#include "daemon/core/edge.h"
#include "daemon/core/ending.h"
#include "daemon/core/handover.h"
#include "daemon/core/life.h"
#include "daemon/core/line.h"
#include "daemon/core/pools.h"
#include "daemon/core/sizing.h"
#include "daemon/core/tombstone.h"

/* What could not be done now (a full link, a zygote that is busy) is tried again after this. */
#define RETRY_US 1000

int core_init(struct core *c, const struct account_limits *limits, const struct core_ops *ops,
	void *shell, uint64_t first_id, uint64_t id_end, const struct siphash_key *seed)
{
	int r;

	*c = (struct core){.ops = ops, .shell = shell, .next_id = first_id, .id_end = id_end};
	c->seed = *seed;
	c->memory = (struct slab)SLAB_INIT(sizeof(struct future));
	c->runs = (struct slab)SLAB_INIT(sizeof(struct run));
	c->due_most = CORE_DUE_A_TURN;
	c->groups.seed = c->keys.seed = &c->seed;
	accounts_init(&c->accounts, limits);
	admissions_init(&c->admissions);
	TAILQ_INIT(&c->pools);
	TAILQ_INIT(&c->removed);
	TAILQ_INIT(&c->freed);
	TAILQ_INIT(&c->settling);
	TAILQ_INIT(&c->over);
	shelf_init(&c->shelf);
	c->tombstones = tombstones_new();
	r = future_table_init(&c->table);
	if (r == 0 && c->tombstones)
		return 0;
	future_table_deinit(&c->table);
	c->tombstones = tombstones_free(c->tombstones);
	return -ENOMEM;
}

void core_deinit(struct core *c)
{
	life_clear(c);
	pools_clear(c);
	tombstones_free(c->tombstones);
	future_table_deinit(&c->table);
	roll_deinit(&c->roll);
	slab_deinit(&c->memory);
	slab_deinit(&c->runs);
	heap_deinit(&c->timers);
	accounts_deinit(&c->accounts);
}

/* ---- time ---------------------------------------------------------------------------------------
 */

/* It is in a worker's hands, behind another job. */
static void ahead_due(struct core *c, struct future *f, enum future_clock clock, uint64_t now_us)
{
	if (future_terms(f)->deadline_us <= now_us)
		clock = FUTURE_CLOCK_DEADLINE;
	f->clock = clock;
	if (clock == FUTURE_CLOCK_DEADLINE)
		ending_begin(f, ENDING_TIMEOUT, CANCEL_TERM, now_us);
	else
		line_take_back(f->run->slot, now_us);
	/* If its worker holds on to it, it will hear of its next start or of the worker's end. */
	if (f->state == FUTURE_QUEUED && f->run->slot && future_terms(f)->deadline_us != HEAP_NEVER)
		heap_set(&c->timers, &f->timer, future_terms(f)->deadline_us, f->id);
}

static void waiting_due(struct core *c, struct future *f, uint64_t now_us)
{
	enum future_clock clock = terms_due(f, now_us);

	if (clock == FUTURE_CLOCK_NONE)
		attempt_wake(c, f, now_us);
	else if (f->run->slot)
		ahead_due(c, f, clock, now_us);
	else
		attempt_time_out(c, f, clock, now_us);
}

static void future_due(struct core *c, struct future *f, uint64_t now_us)
{
	if (future_state_is_final(f->state)) {
		life_expire(c, f);
	} else if (f->state == FUTURE_RUNNING) {
		f->clock = terms_due(f, now_us);
		ending_begin(f, ENDING_TIMEOUT, CANCEL_TERM, now_us);
	} else if (f->state == FUTURE_CANCELLING) {
		slot_kill(f->run->slot, now_us); /* its grace is over */
	} else {
		waiting_due(c, f, now_us);
	}
}

static void do_due(struct core *c, struct heap_node *node, uint64_t now_us)
{
	char *object = (char *)node;
	struct future *f;

	if (node->owner != CORE_TIMER_FUTURE)
		heap_clear(&c->timers, node);
	switch ((enum core_timer)node->owner) {
	case CORE_TIMER_FUTURE:
		f = (struct future *)(void *)(object - offsetof(struct future, timer));
		life_disarm(c, f);
		future_due(c, f, now_us);
		break;
	case CORE_TIMER_SLOT:
		sizing_due((struct slot *)(void *)(object - offsetof(struct slot, timer)), now_us);
		break;
	case CORE_TIMER_POOL: break; /* the turn sees to it */
	case CORE_TIMER_ADMISSION:
		admission_due(c,
			(struct admission *)(void *)(object - offsetof(struct admission, timer)));
		break;
	}
}

static void do_all_due(struct core *c, uint64_t now_us)
{
	struct heap_node *node;

	for (unsigned n = 0; n < c->due_most; n++) {
		node = life_first_timer(c);
		if (!node || node->key > now_us)
			return;
		do_due(c, node, now_us);
	}
}

uint64_t core_turn(struct core *c, uint64_t now_us)
{
	struct heap_node *node;
	struct pool *p;
	uint64_t n_gives;

	do_all_due(c, now_us);
	c->n_turns++;
	c->want_turn = false;
	c->is_short = false;
	edges_turn(c, now_us);
	n_gives = c->accounts.n_gives;
	for (p = core_first_pool(c); p; p = core_next_pool(p))
		handover_turn(p, now_us);
	/* Room that one pool gave back may be what a job of another one waited for. */
	if (c->is_short && c->accounts.n_gives != n_gives)
		c->want_turn = true;
	if (!TAILQ_EMPTY(&c->settling))
		return now_us;
	node = life_first_timer(c); /* in the past: of what was taken back just now */
	if (c->want_turn && (!node || node->key > now_us + RETRY_US))
		return now_us + RETRY_US;
	return node ? node->key : HEAP_NEVER;
}

/* ---- the end ------------------------------------------------------------------------------------
 */

void core_close(struct core *c)
{
	struct pool *p;

	c->is_closed = true;
	admissions_try_all(c);
	TAILQ_FOREACH (p, &c->pools, in_core)
		core_pool_drain(p);
}

void core_drain(struct core *c, uint64_t now_us)
{
	struct pool *p;
	struct slot *s;

	c->is_closed = true;
	c->is_draining = true;
	admissions_try_all(c);
	for (p = core_first_pool(c); p; p = core_next_pool(p)) {
		handover_abort(p, FAILURE_SHUTDOWN, now_us);
		while ((s = TAILQ_FIRST(&p->by_state[SLOT_IDLE])))
			slot_dismiss(s, now_us);
	}
}

uint64_t core_unfinished(const struct core *c)
{
	return c->n_unfinished;
}

unsigned core_running(const struct core *c)
{
	const struct pool *p;
	unsigned n = 0;

	TAILQ_FOREACH (p, &c->pools, in_core)
		n += p->n_lines;
	return n;
}
