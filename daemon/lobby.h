/* Requests that wait for room: the option admit_within. */
#pragma once

#include "daemon/request.h"

/* r may wait so long, if it is refused for want of room. It cannot fail: without memory it does not
 * wait. */
void lobby_enter(struct request *r, uint64_t within_us);
/* r, which stands there, was refused, and whatever it took is given back. more: what it would have
 * wanted of that limit after that, at least. It has no answer yet. */
void lobby_refused(struct request *r, const struct refusal *why, uint64_t more);
/* Does it overtake others, if it is let in now? */
bool lobby_is_patient(const struct request *r);
/* The handler is through with r, which stands there: keeps what it needs to wait, or lets it go. */
void lobby_settle(struct request *r);
/* Once in a turn, when all is done that makes room: who is tried again, whose time is over. Returns
 * whether the next turn must not sleep; *next_us, when it comes at the latest, may become earlier.
 */
bool lobby_turn(struct server *s, uint64_t *next_us);
