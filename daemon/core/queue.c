/* Lanes: one per uid, each with a time of its own, the sum of what workers spent on its jobs. The
 * lane whose time is least is served next, so that a uid with a million jobs, or with long ones,
 * does not keep one with a single short job waiting (start-time fair queueing).
 *
 * When a job is handed over its lane is charged what its function took so far; when it is over the
 * charge is replaced by what it really took. A lane that had nothing to do and gets a job begins
 * where the queue stands, so idleness saves nothing up; one that left with its time ahead of the
 * queue's is remembered until the queue gets there, so leaving and coming back forgives nothing.
 * With no job in any lane there is nobody to be fair to, and all is forgotten.
 *
 * Within a lane a job's rank is the time at which it entered, less its priority times the ageing of
 * the pool. Everybody ages alike, so ranks never change and ageing costs nothing. Jobs of priority
 * 0 (nearly all) stand in a list: in and out at O(1) and in order of memory. Others stand in a
 * heap. Places, given at entering, order what has equal ranks. A job that comes back from a
 * worker's inbox keeps both, so it stands before those that were behind it.
 *
 * A lane lives as long as some job waits in it or may come to it, so that neither entering nor
 * putting back allocates.
 */
#include "daemon/core/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/uidhash.h"

/* Ranks count from here: with ageing below 2^32 µs no priority reaches an end of the scale. */
#define RANK_ZERO (UINT64_C(1) << 63)

struct lane {
	uint32_t uid;
	uint32_t n_users; /* jobs that wait here or may come here */
	uint32_t n_out;	  /* jobs that are handed over */
	uint64_t n;	  /* jobs that wait */
	uint64_t time_us;
	uint64_t lifted_us; /* of it, what no worker spent (yet): charges come off this first */
	uint64_t n_gives;   /* aside: what its account had given back then */
	bool is_aside;
	struct heap_node node; /* ready, or owing */
	struct futures plain;
	struct heap ranked;
	TAILQ_ENTRY(lane) in_aside;
	UT_hash_handle hh;
};

void queue_init(struct queue *q, uint64_t ageing_us)
{
	*q = (struct queue){.ageing_us = ageing_us};
	TAILQ_INIT(&q->aside);
}

void queue_deinit(struct queue *q)
{
	assert(!q->by_uid);
	heap_deinit(&q->ready);
	heap_deinit(&q->owing);
}

/* ---- lanes --------------------------------------------------------------------------------------
 */

static struct lane *of_node(struct heap_node *node)
{
	return (struct lane *)(void *)((char *)node - offsetof(struct lane, node));
}

static int lane_new(struct queue *q, uint32_t uid, struct lane **ret)
{
	struct lane *l;

	if (heap_reserve(&q->ready, q->n_lanes + 1) < 0 ||
		heap_reserve(&q->owing, q->n_lanes + 1) < 0)
		return -ENOMEM;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->uid = uid;
	TAILQ_INIT(&l->plain);
	HASH_ADD(hh, q->by_uid, uid, sizeof(l->uid), l);
	if (!l->hh.tbl) {
		free(l);
		return -ENOMEM;
	}
	q->n_lanes++;
	*ret = l;
	return 0;
}

static int lane_get(struct queue *q, uint32_t uid, struct lane **ret)
{
	struct lane *l;

	HASH_FIND(hh, q->by_uid, &uid, sizeof(uid), l);
	if (!l)
		return lane_new(q, uid, ret);
	*ret = l;
	return 0;
}

bool queue_holds(const struct queue *q, uint32_t uid)
{
	const struct lane *l;

	HASH_FIND(hh, q->by_uid, &uid, sizeof(uid), l);
	return l && l->n > 0;
}

static void lane_free(struct queue *q, struct lane *l)
{
	heap_clear(&q->owing, &l->node);
	HASH_DEL(q->by_uid, l);
	q->n_lanes--;
	heap_deinit(&l->ranked);
	free(l);
}

/* Lanes that owe nothing any more; all of them when nobody is left to owe it to. */
static void forgive(struct queue *q)
{
	struct heap_node *node;

	while ((node = heap_first(&q->owing)) && (q->n_users == 0 || node->key <= q->time_us))
		lane_free(q, of_node(node));
}

static void lane_unused(struct queue *q, struct lane *l)
{
	if (l->n_users > 0)
		return;
	if (l->time_us > q->time_us)
		heap_set(&q->owing, &l->node, l->time_us, 0);
	else
		lane_free(q, l);
	if (q->n_users == 0)
		forgive(q);
}

/* Its time changed, or it has jobs again. */
static void lane_place(struct queue *q, struct lane *l, uint64_t turn)
{
	if (l->n > 0 && !l->is_aside)
		heap_set(&q->ready, &l->node, l->time_us, turn);
}

/* It has nothing to do, and gets a job: it begins where the queue stands. */
static void lane_lift(const struct queue *q, struct lane *l)
{
	if (l->n == 0 && l->time_us < q->time_us) {
		l->lifted_us += q->time_us - l->time_us;
		l->time_us = q->time_us;
	}
	if (l->n == 0 && l->n_out == 0)
		l->lifted_us = 0;
}

/* One of its jobs took more or less than was thought. What it took while the lane was lifted past
 * that very time is not counted twice. */
static void lane_correct(struct lane *l, uint64_t charged_us, uint64_t used_us)
{
	uint64_t more_us = used_us > charged_us ? used_us - charged_us : 0;
	uint64_t paid_us = more_us < l->lifted_us ? more_us : l->lifted_us;

	l->lifted_us -= paid_us;
	l->time_us += used_us - charged_us - paid_us;
}

static void lane_leave_aside(struct queue *q, struct lane *l)
{
	TAILQ_REMOVE(&q->aside, l, in_aside);
	l->is_aside = false;
}

/* ---- within a lane ------------------------------------------------------------------------------
 */

static struct future *of_rank(struct heap_node *node)
{
	return (struct future *)(void *)((char *)node - offsetof(struct future, rank));
}

static uint64_t rank_key(uint64_t ageing_us, uint64_t entered_us, int32_t priority)
{
	if (!ageing_us)
		return RANK_ZERO - (uint64_t)priority;
	return RANK_ZERO + entered_us - (uint64_t)priority * ageing_us;
}

/* By place. Only those that came back just before can be older, so this looks at few. */
static void insert_back(struct lane *l, struct future *f)
{
	struct future *next = TAILQ_FIRST(&l->plain);

	while (next && next->rank.order < f->rank.order)
		next = TAILQ_NEXT(next, in_line);
	if (next)
		TAILQ_INSERT_BEFORE(next, f, in_line);
	else
		TAILQ_INSERT_TAIL(&l->plain, f, in_line);
}

static void insert(struct queue *q, struct lane *l, struct future *f, bool is_back)
{
	if (f->is_ranked)
		heap_set(&l->ranked, &f->rank, f->rank.key, f->rank.order);
	else if (is_back)
		insert_back(l, f);
	else
		TAILQ_INSERT_TAIL(&l->plain, f, in_line);
	q->n++;
	if (l->n++ == 0)
		lane_place(q, l, ++q->n_turns);
}

static void take_out(struct queue *q, struct future *f)
{
	struct lane *l = f->lane;

	if (f->is_ranked)
		heap_clear(&l->ranked, &f->rank);
	else
		TAILQ_REMOVE(&l->plain, f, in_line);
	q->n--;
	if (--l->n > 0)
		return;
	if (l->is_aside)
		lane_leave_aside(q, l);
	else
		heap_clear(&q->ready, &l->node);
}

static struct future *lane_first(const struct lane *l)
{
	struct future *plain = TAILQ_FIRST(&l->plain);
	struct heap_node *top = heap_first(&l->ranked);

	if (!top)
		return plain;
	return !plain || heap_before(top, &plain->rank) ? of_rank(top) : plain;
}

/* ---- in and out ---------------------------------------------------------------------------------
 */

int queue_join(struct queue *q, struct future *f)
{
	struct lane *l;
	int r;

	forgive(q);
	r = lane_get(q, future_uid(f), &l);
	if (r < 0)
		return r;
	if (f->priority && heap_reserve(&l->ranked, l->n_users + 1) < 0) {
		lane_unused(q, l);
		return -ENOMEM;
	}
	if (l->n_users == 0)
		heap_clear(&q->owing, &l->node);
	l->n_users++;
	q->n_users++;
	f->lane = l;
	return 0;
}

void queue_enter(struct queue *q, struct future *f, uint64_t now_us)
{
	lane_lift(q, f->lane);
	/* So that places and ranks of equals grow together. */
	if (q->entered_us < now_us)
		q->entered_us = now_us;
	f->is_ranked |= f->priority != 0;
	f->rank.key = rank_key(q->ageing_us, q->entered_us, f->priority);
	f->rank.order = ++q->n_places;
	insert(q, f->lane, f, false);
}

/* What its lane was charged for f, handed over: kept in a word of the node that is else unused. */
static uint32_t *charge_of(struct future *f)
{
	return &f->rank.owner;
}

struct queue_mark queue_pop(struct queue *q, struct future *f, uint64_t charge_us)
{
	struct lane *l = f->lane;
	struct queue_mark mark = {.time_us = q->time_us, .turn = l->node.order};

	take_out(q, f);
	if (q->time_us < l->time_us)
		q->time_us = l->time_us;
	*charge_of(f) = charge_us < UINT32_MAX ? (uint32_t)charge_us : UINT32_MAX;
	l->time_us += *charge_of(f);
	l->n_out++;
	lane_place(q, l, ++q->n_turns);
	return mark;
}

static void come_back(struct queue *q, struct future *f, uint64_t turn)
{
	struct lane *l = f->lane;

	l->time_us -= *charge_of(f);
	*charge_of(f) = 0;
	l->n_out--;
	lane_place(q, l, turn);
	insert(q, l, f, true);
}

void queue_put_back(struct queue *q, struct future *f)
{
	come_back(q, f, f->lane->node.order);
}

void queue_unpop(struct queue *q, struct future *f, const struct queue_mark *mark)
{
	come_back(q, f, mark->turn);
	lane_place(q, f->lane, mark->turn);
	q->time_us = mark->time_us;
}

void queue_settle(struct queue *q, struct future *f, uint64_t used_us)
{
	struct lane *l = f->lane;

	lane_correct(l, *charge_of(f), used_us);
	*charge_of(f) = 0;
	l->n_out--;
	lane_place(q, l, l->node.order);
}

void queue_leave(struct queue *q, struct future *f)
{
	struct lane *l = f->lane;

	f->end = (struct ending){0}; /* in place of the lane */
	l->n_users--;
	q->n_users--;
	lane_unused(q, l);
}

void queue_remove(struct queue *q, struct future *f)
{
	take_out(q, f);
	queue_leave(q, f);
}

int queue_set_priority(struct queue *q, struct future *f, int32_t priority)
{
	uint64_t change = (uint64_t)((int64_t)priority - f->priority);
	struct lane *l = f->lane;

	/* It may have to come back. */
	if (heap_reserve(&l->ranked, l->n_users) < 0)
		return -ENOMEM;
	f->priority = priority;
	f->rank.key -= q->ageing_us ? change * q->ageing_us : change;
	if (f->run->slot || f->state != FUTURE_QUEUED) {
		f->is_ranked = true;
		return 0;
	}
	if (!f->is_ranked)
		TAILQ_REMOVE(&l->plain, f, in_line);
	f->is_ranked = true;
	heap_set(&l->ranked, &f->rank, f->rank.key, f->rank.order);
	return 0;
}

void queue_rank_anew(const struct queue *q, struct future *f, uint64_t ageing_us)
{
	uint64_t entered_us = q->entered_us;

	if (q->ageing_us)
		entered_us = f->rank.key + (uint64_t)f->priority * q->ageing_us - RANK_ZERO;
	f->rank.key = rank_key(ageing_us, entered_us, f->priority);
}

void queue_set_ageing(struct queue *q, uint64_t ageing_us)
{
	struct future *f;

	for (struct lane *l = q->by_uid; l; l = l->hh.next) {
		TAILQ_FOREACH (f, &l->plain, in_line)
			queue_rank_anew(q, f, ageing_us);
		for (uint32_t i = 0; i < l->ranked.n; i++)
			queue_rank_anew(q, of_rank(l->ranked.entries[i].node), ageing_us);
		heap_rebuild(&l->ranked);
	}
	q->ageing_us = ageing_us;
}

/* ---- who is next --------------------------------------------------------------------------------
 */

struct future *queue_first(const struct queue *q)
{
	struct heap_node *node = heap_first(&q->ready);

	return node ? lane_first(of_node(node)) : NULL;
}

struct future *queue_any(const struct queue *q)
{
	struct future *f = queue_first(q);

	return f || TAILQ_EMPTY(&q->aside) ? f : lane_first(TAILQ_FIRST(&q->aside));
}

struct future *queue_of_lane(const struct queue *q, uint32_t number, uint64_t *ret_n)
{
	const struct lane *l = of_node(q->ready.entries[number].node);

	*ret_n = l->n;
	return lane_first(l);
}

void queue_stand_aside(struct queue *q, struct future *f)
{
	struct lane *l = f->lane;

	heap_clear(&q->ready, &l->node);
	l->n_gives = account_n_gives(f->account);
	l->is_aside = true;
	TAILQ_INSERT_TAIL(&q->aside, l, in_aside);
}

bool queue_rejoin(struct queue *q)
{
	struct lane *next;

	for (struct lane *l = TAILQ_FIRST(&q->aside); l; l = next) {
		next = TAILQ_NEXT(l, in_aside);
		if (l->n_gives == account_n_gives(lane_first(l)->account))
			continue;
		lane_leave_aside(q, l);
		lane_place(q, l, l->node.order);
	}
	return !TAILQ_EMPTY(&q->aside);
}

uint64_t queue_ahead(const struct future *f, uint64_t most)
{
	const struct lane *l = f->lane;
	uint64_t n = heap_count_before(&l->ranked, &f->rank, most);
	const struct future *g;

	for (g = TAILQ_FIRST(&l->plain); g && n < most; g = TAILQ_NEXT(g, in_line)) {
		if (!heap_before(&g->rank, &f->rank))
			break;
		n++;
	}
	return n;
}
