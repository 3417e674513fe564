/* The order of waiting jobs of one pool: fair between uids, by priority within a uid, first come
 * first served within a priority. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/future.h"

TAILQ_HEAD(lanes, lane);

struct queue {
	struct lane *by_uid;  /* uthash */
	struct lanes waiting; /* lanes that have jobs; the first is next */
	uint64_t n;
};

void queue_init(struct queue *q);
/* It holds no jobs any more. */
void queue_deinit(struct queue *q);
/* Behind its equals. -ENOMEM. */
__attribute__((warn_unused_result)) int queue_push(struct queue *q, struct future *f);
/* A job that was handed over and taken back: where it stood. It was in this queue once, so this
 * cannot fail. */
void queue_put_back(struct queue *q, struct future *f);
/* Takes out a job that waits, for good. */
void queue_remove(struct queue *q, struct future *f);
/* A job that was popped will not come back. */
void queue_leave(struct queue *q, struct future *f);
/* The next job, left where it is. `skip` tells whose jobs cannot start now (NULL: nobody's). NULL
 * if there is none. */
typedef bool (*queue_skip)(struct future *first);
struct future *queue_first(struct queue *q, queue_skip skip);
/* Takes out what queue_first() gave, and lets the next uid have its turn. Until queue_leave() it
 * may be put back. */
void queue_pop(struct queue *q, struct future *f);
