/* What is known of a future, as a map for clients. */
#pragma once

#include "daemon/core/core.h"
#include "proto/buf.h"

/* Of a job that waits, those before it are counted up to `ahead_max`;
 * 0: it is one of a list, without what is slow to find or said of its function. */
void info_pack(struct bufpack *p, const struct future *f, uint64_t ahead_max);
