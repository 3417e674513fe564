/* The way to the workers and back: zygotes, workers' links, and the processes that they leave
 * behind.
 *
 * Implements core_ops, and tells the core what workers do. */
#pragma once

#include <event2/event.h>

#include "daemon/config.h"
#include "daemon/core/core.h"
#include "proto/base.h"

struct links;
struct workers;
struct zygotes;

/* For core_init(), whose `shell` becomes the workers when they are made. */
extern const struct core_ops workers_ops;

/* config is borrowed until zygotes_use(). Makes this process a child subreaper, adds the pools to
 * the core, starts their zygotes. The pools are settled (ready or failed) some turns of the loop
 * later: workers_are_settled(). */
must_check int workers_new(struct event_base *base, const struct config *config, struct core *core,
	struct workers **ret);
/* Kills and reaps every process that is left, without waiting for jobs. */
struct workers *workers_free(struct workers *w);
/* For what changes while it runs. */
struct zygotes *workers_zygotes(struct workers *w);
struct links *workers_links(struct workers *w);
/* Every pool has its function table, or failed. */
bool workers_are_settled(const struct workers *w);
/* Not while those are settled who somebody dead left behind: a new child may be one of them. */
bool workers_may_fork(const struct workers *w);
/* Processes (zygotes, workers, strangers) that are still there. */
unsigned workers_left(const struct workers *w);
/* The zygotes go home too: after core_drain(), when no job is left. */
void workers_dismiss(struct workers *w);
/* Once per turn of the loop, after the events and before core_turn(): death paths that could not be
 * finished in their own callback. */
void workers_turn(struct workers *w, uint64_t now_us);

/* For `workers` and `info`: 0 if there is none. */
pid_t workers_pid(const struct slot *s);
/* The pool's configuration. */
const struct config_pool *workers_config(const struct pool *p);
