/* What comes in on a worker's link, packet by packet: answers and notifications. */
#pragma once

#include "daemon/worker_link.h"

/* Both may be called again from inside: the inner call goes on where the outer one is. */

/* Reads what one call brings: answers that are due; the rest is left for the next event. */
void link_reader_run(struct worker_link *l);
/* Reads all that is there. */
void link_reader_drain(struct worker_link *l);
