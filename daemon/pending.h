/* Something that a client is owed later: the answer of a wait, a `final` notification. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/account.h"
#include "daemon/core/heap.h"
#include "proto/base.h"

struct conn;
struct pending;
struct slab;

/* X(TYPE, its operations): what it may be. */
#define PENDING_TYPES(X)                                                                           \
	X(SUBSCRIPTION, subscription_ops)                                                          \
	X(HOLD, hold_ops)                                                                          \
	X(WAIT, wait_ops)                                                                          \
	X(RESULT, result_ops)                                                                      \
	X(READER, reader_ops)                                                                      \
	X(LISTING, listing_ops)                                                                    \
	X(WATCH, watch_ops)                                                                        \
	X(WATCHED, watched_ops)                                                                    \
	X(VISIT, visit_ops)                                                                        \
	X(DRAIN, drain_ops)                                                                        \
	X(RELOAD, reload_ops)
enum pending_type {
#define X(TYPE, ops) PENDING_##TYPE,
	PENDING_TYPES(X)
#undef X
		_PENDING_TYPE_MAX,
};

/* Embedded by requests; owned by its connection from pending_add() on. */
struct pending_ops {
	/* It is ready and there is room: write it to the connection, after which it is freed. One
	 * that lasts is not; it is written again when it is ready again, and removes itself. */
	void (*write)(struct pending *p);
	/* Its time is over: make it ready, or set another time. Only of one that has a timer. */
	void (*on_time)(struct pending *p, uint64_t now_us);
	/* Leaves whatever it waits for and frees itself; is_closing: the connection goes, so nobody
	 * gets it. */
	void (*free)(struct pending *p, bool is_closing);
	bool is_lasting;
	uint16_t timer_at;   /* from the pending on, where its heap_node lies; 0: there is none */
	struct slab *memory; /* of an await: where it comes from; NULL: malloc() */
};

struct pending {
	TAILQ_ENTRY(pending) in_conn; /* among those that are ready, or those that are not */
	struct conn *conn;
	uint32_t msgid; /* of the request, and whether it was one; of awaits */
	enum pending_type type : 8;
	bool is_wanted;
	bool is_ready;
	uint8_t kinds; /* of a subscription */
};

/* For pending_ops.timer_at: of a type that begins with a pending, or with what begins with one. */
#define PENDING_TIMER_AT(type) offsetof(type, timer)

TAILQ_HEAD(pendings, pending);

/* Defined where the type is at home. */
#define X(TYPE, ops) extern const struct pending_ops ops;
PENDING_TYPES(X)
#undef X
const struct pending_ops *pending_type_ops(enum pending_type type);

/* Charges one wait to the connection's uid. 0, ACCOUNT_E_ with *ret_refusal (p stays the caller's),
 * -ENOMEM. */
must_check int pending_add(
	struct pending *p, struct conn *c, enum pending_type type, struct refusal *ret_refusal);
/* It can be written. Once is enough, twice does no harm. */
void pending_ready(struct pending *p);
/* It is ready and there is room: writes it, and removes it unless it lasts. */
void pending_write(struct pending *p);
/* on_time will be called; HEAP_NEVER: not at all. */
void pending_set_time(struct pending *p, uint64_t at_us);
/* Takes it from its connection and frees it. */
void pending_remove(struct pending *p, bool is_closing);
/* Calls on_time of those that are due. */
void pendings_turn(struct heap *timers, uint64_t now_us);
