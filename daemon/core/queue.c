/* Lanes: one per uid, served in turn, so that a uid with a million jobs does not keep one with a
 * single job waiting.
 *
 * Within a lane, jobs of priority 0 (nearly all) stand in a list: in and out at O(1) and in order
 * of memory. Others stand in a heap by priority and age. A job that comes back from a worker's
 * inbox keeps its age (its ID), so it stands before those that were behind it.
 *
 * A lane lives as long as some job waits in it or may come back to it, so that putting a job back
 * never allocates.
 */
#include "daemon/core/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/uidhash.h"

struct lane {
	uint32_t uid;
	uint32_t n_users; /* jobs that may come back here: waiting or handed over */
	uint64_t n;	  /* jobs that wait */
	struct futures plain;
	struct heap ranked;
	TAILQ_ENTRY(lane) in_waiting;
	UT_hash_handle hh;
};

void queue_init(struct queue *q)
{
	*q = (struct queue){0};
	TAILQ_INIT(&q->waiting);
}

static void lane_free_if_unused(struct queue *q, struct lane *l)
{
	if (l->n_users > 0)
		return;
	HASH_DEL(q->by_uid, l);
	heap_deinit(&l->ranked);
	free(l);
}

void queue_deinit(struct queue *q)
{
	assert(!q->by_uid);
	(void)q;
}

static int lane_get(struct queue *q, uint32_t uid, struct lane **ret)
{
	struct lane *l;

	HASH_FIND(hh, q->by_uid, &uid, sizeof(uid), l);
	if (!l) {
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
	}
	*ret = l;
	return 0;
}

static struct future *of_rank(struct heap_node *node)
{
	return (struct future *)(void *)((char *)node - offsetof(struct future, rank));
}

/* Higher priority is smaller rank. */
static uint64_t rank_key(int32_t priority)
{
	return (uint64_t)((int64_t)INT32_MAX - priority);
}

/* By ID. Only those that came back just before can be older, so this looks at few. */
static void insert_back(struct lane *l, struct future *f)
{
	struct future *next = TAILQ_FIRST(&l->plain);

	while (next && next->id < f->id)
		next = TAILQ_NEXT(next, in_line);
	if (next)
		TAILQ_INSERT_BEFORE(next, f, in_line);
	else
		TAILQ_INSERT_TAIL(&l->plain, f, in_line);
}

static void insert(struct queue *q, struct lane *l, struct future *f, bool is_back)
{
	if (f->priority)
		heap_set(&l->ranked, &f->rank, rank_key(f->priority), f->id);
	else if (is_back)
		insert_back(l, f);
	else
		TAILQ_INSERT_TAIL(&l->plain, f, in_line);
	if (l->n++ == 0)
		TAILQ_INSERT_TAIL(&q->waiting, l, in_waiting);
	q->n++;
}

int queue_push(struct queue *q, struct future *f)
{
	struct lane *l;
	int r;

	r = lane_get(q, future_uid(f), &l);
	if (r < 0)
		return r;
	if (f->priority && heap_reserve(&l->ranked, l->n_users + 1) < 0) {
		lane_free_if_unused(q, l);
		return -ENOMEM;
	}
	l->n_users++;
	f->lane = l;
	insert(q, l, f, false);
	return 0;
}

void queue_put_back(struct queue *q, struct future *f)
{
	insert(q, f->lane, f, true);
}

static void take_out(struct queue *q, struct future *f)
{
	struct lane *l = f->lane;

	if (f->priority)
		heap_clear(&l->ranked, &f->rank);
	else
		TAILQ_REMOVE(&l->plain, f, in_line);
	if (--l->n == 0)
		TAILQ_REMOVE(&q->waiting, l, in_waiting);
	q->n--;
}

void queue_leave(struct queue *q, struct future *f)
{
	struct lane *l = f->lane;

	f->lane = NULL;
	l->n_users--;
	lane_free_if_unused(q, l);
}

void queue_remove(struct queue *q, struct future *f)
{
	take_out(q, f);
	queue_leave(q, f);
}

static struct future *lane_first(const struct lane *l)
{
	struct future *plain = TAILQ_FIRST(&l->plain);
	struct heap_node *top = heap_first(&l->ranked);

	if (!top)
		return plain;
	return !plain || top->key < rank_key(0) ? of_rank(top) : plain;
}

struct future *queue_first(struct queue *q, queue_skip skip)
{
	struct lane *l;

	TAILQ_FOREACH (l, &q->waiting, in_waiting) {
		struct future *f = lane_first(l);

		if (!skip || !skip(f))
			return f;
	}
	return NULL;
}

void queue_pop(struct queue *q, struct future *f)
{
	struct lane *l = f->lane;

	take_out(q, f);
	if (l->n > 0) {
		TAILQ_REMOVE(&q->waiting, l, in_waiting);
		TAILQ_INSERT_TAIL(&q->waiting, l, in_waiting);
	}
}
