/* What is taken from the owner's account at hand-over: room for the result. Inside the core
 * only. */
#pragma once

#include "daemon/core/core.h"

struct amounts reservation_of(const struct pool *p);
/* The same for each behind the first of a packet. */
struct amounts reservation_of_packed(const struct pool *p);
/* That room exceeds a whole quota: such jobs fail. */
bool reservation_never_fits(const struct pool *p);
/* What must stay free beside all waiting jobs, so that none of them waits for ever. Nothing for
 * those that will fail. */
struct amounts reservation_beside(const struct pool *p);
/* The same for one that waits for others' ends: room for any of their results, too. */
struct amounts reservation_beside_after(
	const struct pool *p, const struct after *after, uint32_t n_after);
/* The same for one that was admitted, and goes on to wait for them. */
struct amounts reservation_beside_job(const struct future *f);
void reservation_note_after(struct future *f, const struct after *after, uint32_t n_after);
/* There is no room for its result, and no end of another job will make any: what jobs hold leaves
 * none, and none of them can start. */
bool reservation_is_stuck(const struct future *f);
/* By its place in its packet. account_check_result() said that it fits. */
void reservation_take(struct future *f);
void reservation_give(struct future *f);
bool reservation_exceeded(const struct future *f, uint64_t bytes, uint16_t fds);
