/* What jobs cost, in answers: times, bytes by the way they went, and what would help. */
#pragma once

#include "daemon/core/pool.h"
#include "proto/buf.h"

/* {queued, handover, run, return} in seconds. */
void cost_pack_timing(struct bufpack *p, const struct future_timing *t);
/* nil: nothing ran. */
void cost_pack_share(struct bufpack *p, const struct future_timing *t);
/* {in, out, inline, memfd, object, copied, total, input, result}. */
void cost_pack_bytes(
	struct bufpack *p, const struct moved *in, const struct moved *out, uint64_t object_bytes);
/* Fields of a map: jobs, runs, work_share, timing, mean, bytes, mean_in, mean_out. */
#define COST_PACK_FIELDS 8
void cost_pack_fields(struct bufpack *p, const struct cost *c, uint64_t n_jobs);
/* How many maps cost_pack_advice() packs. */
size_t cost_count_advice(const struct function *fn);
/* A map {function, remedy, text} for each remedy that the last runs call for. */
void cost_pack_advice(struct bufpack *p, const struct function *fn);
