/* What is in a worker's hands: its line of jobs. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* f was handed over. Room for its result was taken. */
void line_append(struct slot *s, struct future *f, uint64_t now_us);
/* After the line lost its first: the next one is it; without one the worker is idle, or goes. */
void line_moved(struct slot *s, uint64_t now_us);
/* When the first of the line should have been received. */
uint64_t line_deaf_us(const struct slot *s);
/* They were handed over in one packet. */
static inline bool line_is_one_packet(const struct future *a, const struct future *b)
{
	return a->run->msgid - a->run->place == b->run->msgid - b->run->place;
}
/* Something may lie in its inbox, behind the first of its line. */
bool line_has_more(const struct slot *s);
/* f never started, though its worker may have received it: it stands in the queue where it stood.
 */
void line_put_back(struct future *f);
/* Takes the worker's inbox back into the queue. */
void line_take_back(struct slot *s, uint64_t now_us);
/* f is out of its slot's line for good: the reservation and its place in the queue are given back.
 * Its worker was busy with it until then. */
void line_end(struct future *f, uint64_t end_us);
