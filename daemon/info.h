/* What is known of a future, as a map for clients. */
#pragma once

#include "daemon/core/core.h"
#include "proto/buf.h"

/* Of a job that waits, those before it are counted up to `ahead_max`. */
void info_pack(struct bufpack *p, const struct future *f, uint64_t ahead_max);
