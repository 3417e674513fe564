/* What client.c measures in files of their own. Each prints its figures. */
#pragma once

#include "client/poold.h"

/* submit and wait by ID, in place of a future that is told its end: per second. */
void client_ids(poold *p, const char *function, unsigned n);
/* One future and n requests that wait for it, all of this connection: µs for each, from the end to
 * the last answer; the same for as many pings. */
void client_waiters(poold *p, unsigned n);
