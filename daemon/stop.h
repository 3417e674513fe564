/* How the daemon ends. */
#pragma once

#include <stdint.h>

#include "daemon/server.h"

/* What becomes of the jobs that are there. In the order of haste. */
enum stop_mode {
	STOP_FINISH, /* all of them end first */
	STOP_TERM,   /* what runs may end within a time, then it is rung; what waits is aborted */
	STOP_KILL,   /* they are killed, or aborted */
	_STOP_MODE_MAX,
};

const char *stop_mode_name(enum stop_mode m);
/* Begins to stop, or goes on in more haste; what is under way in as much haste or more goes on as
 * it was, but for the time. within_us: jobs may run so long; HEAP_NEVER: as configured, which is
 * without an end for STOP_FINISH. */
void stop_begin(struct server *s, enum stop_mode mode, uint64_t within_us, uint64_t now_us);
/* SIGTERM, SIGINT: as STOP_TERM. Each one more is a step on: what runs is rung; it is killed. */
void stop_signalled(struct server *s, const char *name, uint64_t now_us);
/* Once in a turn: the next step, when its condition or its time has come. */
void stop_turn(struct server *s, uint64_t now_us);
