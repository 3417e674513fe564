/* The values of other futures that a job's input names, and that go to its worker beside it. */
#pragma once

#include "daemon/core/future.h"
#include "proto/base.h"
#include "proto/buf.h"
#include "proto/limits.h"

/* What the inputs of a job that are done come to. */
struct run_values {
	uint32_t n;
	unsigned n_fds;		/* of its own input and of them */
	uint64_t inline_bytes;	/* of their encodings, as far as those lie in no memfd */
	uint64_t payload_bytes; /* of all there is to them */
};
struct run_values run_values_of(const struct future *f);
/* Is that more than one run may bring along? Then which limit, and by how much. */
must_check bool run_values_exceed(
	const struct run_values *v, const char **ret_limit, uint64_t *ret_value, uint64_t *ret_max);

/* The fds of a packet. */
struct run_fds {
	unsigned n;
	uint64_t made; /* bit per index: closed with this */
	int fds[PROTO_PACKET_FDS];
};
/* Every job has such a list, and few have fds: those are left as they are. */
static inline void run_fds_init(struct run_fds *fds)
{
	fds->n = 0;
	fds->made = 0;
}
void run_fds_deinit(struct run_fds *fds);

/* Packs the map `values`, n of them, into memory of its own; the indexes in it go on behind the fds
 * that are there. 0, -errno. */
must_check int run_values_pack(
	struct buf *b, const struct future *f, uint32_t n, struct run_fds *fds);
/* In place of the map, which then lies in a memfd: packs the ext 3 that stands for it. 0, -errno.
 */
must_check int run_values_spill(struct bufpack *p, const struct buf *values, struct run_fds *fds);
