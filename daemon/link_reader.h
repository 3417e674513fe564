/* What comes in on a worker's link, packet by packet: answers and notifications. */
#pragma once

#include "daemon/worker_link.h"

/* As many packets as one link can hold unread, and some. */
#define LINK_READER_ALL 1024u

/* Reads at most so many packets. May be called again from inside: the inner call goes on where the
 * outer one is. */
void link_reader_run(struct worker_link *l, unsigned max_packets);
