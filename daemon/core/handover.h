/* Between the queue and the workers: handing over, taking back, ending what runs. Inside the core
 * only. */
#pragma once

#include "daemon/core/core.h"

/* What is taken from the owner's account at hand-over: room for the result. */
struct amounts handover_reservation(const struct pool *p);
/* That room exceeds a whole quota: such jobs fail. */
bool handover_never_fits(const struct pool *p);

/* Hands over what can be, ahead of need too; asks for workers that are missing; takes back for idle
 * ones. */
void handover_turn(struct pool *p, uint64_t now_us);
/* Takes the worker's inbox back into the queue. */
void handover_take_back(struct slot *s, uint64_t now_us);
/* After the line lost its first: the next one is it; without one the worker is idle, or goes. */
void handover_line_moved(struct slot *s, uint64_t now_us);
/* Sends a worker home. */
void handover_dismiss(struct slot *s, uint64_t now_us);
/* Aborts what waits: in the queue, and in inboxes. */
void handover_abort(struct pool *p, enum future_failure why, uint64_t now_us);
/* f is out of its slot's line for good: the reservation and its place in the queue are given back. Its
 * worker was busy with it until then. */
void handover_end(struct future *f, uint64_t end_us);

/* Final, by what it was ended for. It is in no line. */
void handover_finish(struct future *f, uint64_t now_us);
/* Ends a job that may be in a worker's hands, by the three steps: take back, read, ring. After it,
 * f is in the queue, or final, or `cancelling`. */
void handover_stop(
	struct future *f, enum future_ending ending, enum cancel_mode mode, uint64_t now_us);
/* The time of a slot or of a job in a worker's hands has come. */
void handover_kill(struct slot *s, uint64_t now_us);
