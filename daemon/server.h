/* The daemon as a whole: owns everything, runs the loop.
 *
 * Who owns what:
 *	server		configuration, event base, core, listener, connections, workers, ID mark, reload
 *	reload		a configuration that is not decided
 *	conns		connections; each its buffers, outbox and pendings
 *	core		pools with their slots, futures, accounts
 *	workers		zygotes, links, processes
 *	future		its payloads and extra; an outbox that still sends from it pins it
 */
#pragma once

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/conn.h"
#include "daemon/core/core.h"
#include "daemon/deadline.h"
#include "daemon/form.h"
#include "daemon/notify.h"
#include "daemon/spin.h"
#include "daemon/watch.h"
#include "daemon/workers.h"
#include "proto/base.h"

struct drain;
struct idmark;
struct listener;
struct reload;

TAILQ_HEAD(drains, drain);

enum server_state {
	SERVER_STARTING,
	SERVER_SERVING,
	SERVER_FINISHING,  /* no new jobs; the others go on */
	SERVER_DRAINING,   /* running jobs may finish */
	SERVER_ABORTING,   /* what still ran was rung, or killed */
	SERVER_LAST_WORDS, /* answers go out, workers go home */
	SERVER_STOPPED,
};

struct server {
	struct config *config;
	struct event_base *base;
	struct deadline deadline;
	struct spin spin;
	struct event *signals[4];
	unsigned n_signals;
	struct core core;
	bool has_core;
	struct conns conns;
	struct watches watches;
	struct form form; /* of the last submit */
	struct workers *workers;
	struct listener *listener;
	struct idmark *idmark;
	struct notify notify;
	struct reload *reload;
	struct drains drains; /* requests that wait for one */
	enum server_state state;
	int exit_code;
	uint64_t started_us; /* monotonic */
	uint64_t stop_at_us; /* the next step of stopping */
	uint64_t n_notifications_ignored;
	uint64_t n_requests;
};

/* Starts: takes config over in any case. What it was read with is for reading it anew. 0, or -errno
 * with a line in the log. */
must_check int server_new(
	struct config *config, const struct config_override *override, struct server **ret);
struct server *server_free(struct server *s);
DEFINE_CLEANUP(struct server *, server_free)
/* Runs until it is told to stop. The exit code. */
int server_run(struct server *s);
/* Signals wait from now on until a server runs: to be called before one is made. */
void server_hold_signals(void);
