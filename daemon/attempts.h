/* The runs of a job, one map each: what is written down of those that were not its end, and what
 * `info` and the failure `poison` tell of them. */
#pragma once

#include "daemon/core/future.h"
#include "proto/buf.h"

/* For core_ops.describe_attempt; what the run left in f's extra is dropped. */
struct payload *attempts_describe(struct future *f, enum future_state state, uint64_t *ret_bytes);
/* All that are known, oldest first; with the one that runs or was the last. */
void attempts_pack(struct bufpack *p, const struct future *f);
/* The details of those that lost a worker. */
void attempts_pack_deaths(struct bufpack *p, const struct future *f);
/* Runs so far. */
unsigned attempts_count(const struct future *f);
/* The run whose output there is, or will be: the one that is under way, comes next, or was the
 * last. */
unsigned attempts_current(const struct future *f);
