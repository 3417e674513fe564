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
/* What came back outside of handover_take_back() goes where it belongs. */
void handover_settle(struct slot *s, uint64_t now_us);
/* Sends idle workers home, and those that start as soon as they are ready. */
void handover_dismiss(struct pool *p, uint64_t now_us);
/* f is out of its slot's line for good: the reservation and its place in the queue are given back.
 */
void handover_end(struct future *f);

/* Ends a job that may be in a worker's hands, by the three steps: take back, read, ring. After it,
 * f is in the queue, or final, or `cancelling`. */
void handover_stop(
	struct future *f, enum future_ending ending, enum cancel_mode mode, uint64_t now_us);
/* The time of a slot or of a job in a worker's hands has come. */
void handover_kill(struct slot *s, uint64_t now_us);
