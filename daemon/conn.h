/* One client: its socket, what it sent and what it is owed. Knows bytes and messages, not methods.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/core/account.h"
#include "daemon/inbox.h"
#include "daemon/log_limit.h"
#include "daemon/namespace.h"
#include "daemon/outbox.h"
#include "daemon/pending.h"
#include "proto/base.h"
#include "proto/buf.h"
#include "proto/scan.h"

struct conn;
struct conns;

enum conn_state {
	CONN_OPEN,     /* reads and writes */
	CONN_ENDED,    /* its input ended; answers still go out */
	CONN_FLUSHING, /* a last `fatal` goes out, then it closes */
	CONN_CLOSED,   /* to be freed at the end of the turn */
	_CONN_STATE_MAX,
};

TAILQ_HEAD(conn_list, conn);

/* What the layer above gives. */
struct conn_ops {
	/* One complete message, scanned; fds are the callee's. 0, or positive: the bytes are no
	 * MessagePack-RPC. */
	int (*on_message)(void *userdata, struct conn *c, const uint8_t *bytes,
		const struct scan *scan, const int *fds, unsigned n_fds, uint64_t now_us);
};

/* Log lines that clients can cause. */
enum conns_line {
	CONNS_REFUSED,
	CONNS_FATAL,
	CONNS_FAILED,
	_CONNS_LINE_MAX,
};

#define CONNS_SHARES 64u

/* All connections. */
struct conns {
	struct event_base *base;
	struct core *core;
	const struct conn_ops *ops;
	void *userdata;
	uid_t own_uid; /* what the daemon runs as */
	struct conn_list all;
	struct conn_list dirty;	    /* something to write or to process in this turn */
	struct conn_list resumed;   /* input that was held back can go on */
	struct conn_list closed;    /* to be freed */
	struct conn_list lingering; /* closed, but fds lie unread in their sockets */
	struct heap timers;	    /* of pendings */
	unsigned n_pendings;
	unsigned n_timers; /* of those */
	unsigned n;
	uint64_t
		look_at_us; /* when to look whether peers have read their fds; HEAP_NEVER: no need */
	uint64_t next_number;
	struct log_limit lines[_CONNS_LINE_MAX];
	/* On requests of this uid, and of those that share its place. */
	uint64_t spent_us[CONNS_SHARES];
	uint64_t n_accepted, n_refused, n_fatal;
	struct namespace namespace;
};

struct conn {
	struct conns *conns;
	TAILQ_ENTRY(conn) in_all;
	TAILQ_ENTRY(conn) in_dirty;
	TAILQ_ENTRY(conn) in_resumed;
	uint64_t number;
	enum conn_state state;
	bool is_dirty;
	bool is_paused;	 /* too much is owed: nothing is read until it is sent */
	bool is_resumed; /* stands in that list */
	bool wants_fds;	 /* said fds: true in hello */
	bool is_admin;
	bool is_listening_for_write;
	bool is_ending; /* its input has an end, perhaps behind more input */
	bool is_unsure; /* whether its peer is still there: it was not read up to the end */
	int fd;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary ones */
	size_t n_groups;
	struct account *account;
	uint64_t unfinished_id; /* all older futures of the account are final; 0: not known */
	struct event *on_readable;
	struct event *on_writable;
	struct inbox in;
	struct outbox out;
	struct pendings pendings;
	struct pendings ready;
};

void conns_init(struct conns *cs, struct event_base *base, struct core *core,
	const struct conn_ops *ops, void *userdata);
/* Closes and frees them all. */
void conns_deinit(struct conns *cs);
/* Consumes fd. A refused one is told `fatal` with the limit before it is closed. */
void conns_accept(struct conns *cs, int fd, gid_t admin_gid);
/* Input that was held back, and times of pendings: before core_turn(). */
void conns_turn(struct conns *cs, uint64_t now_us);
/* Writes what is ready, reads on where there is room again. Returns whether some input was held
 * back that can now be processed: the next turn must not sleep. */
bool conns_flush(struct conns *cs, uint64_t now_us);
/* Frees the closed ones, when nobody up the stack holds one. */
void conns_sweep(struct conns *cs, uint64_t now_us);
/* Counts what peers have read meanwhile: nobody tells. */
void conns_look(struct conns *cs);
/* When conns_turn() must be called next; HEAP_NEVER. */
uint64_t conns_next_us(const struct conns *cs);
/* Nothing is owed to anybody: all outboxes are empty, nothing is ready. */
bool conns_are_flushed(const struct conns *cs);

bool conn_is_member(const struct conn *c, gid_t gid);
/* Something was put into its outbox, or a pending became ready. */
void conn_touch(struct conn *c);
/* Its peer reads what it is sent; else what it is owed later has to wait. */
bool conn_has_room(const struct conn *c);
/* The last word: `fatal` [code, message], then it closes. */
void conn_fatal(struct conn *c, const char *code, const char *format, ...) printf_like(3, 4);
/* At once; logged with the reason at debug level. */
void conn_close(struct conn *c, const char *reason);

/* ---- between conn.c and conns.c ---- */

/* May a line of this kind go to the log? */
bool conns_may_log(struct conns *cs, enum conns_line line);
/* Have the requests of this uid some of their share of the turn left? So one that sends many that
 * are costly (a `list` over a million futures) keeps others waiting for a moment only. */
bool conns_have_time(const struct conns *cs, uid_t uid);
/* This much of it is gone. */
void conns_spend(struct conns *cs, uid_t uid, uint64_t us);

/* Consumes fd; it has no account and reads nothing yet. -ENOMEM. */
must_check int conn_new(struct conns *cs, int fd, struct conn **ret);
struct conn *conn_free(struct conn *c);
/* A closed one that lingers: the peer finds the end behind what was sent, and nothing is kept for
 * it but the count of its fds. */
void conn_silence(struct conn *c);
/* Writes what is owed, as far as the socket takes it. */
void conn_flush(struct conn *c);
/* Processes what was held back, and reads again. */
void conn_go_on(struct conn *c);
void conn_pack_fatal(struct buf *b, const char *code, const char *message);
