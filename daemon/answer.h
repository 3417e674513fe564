/* What a worker answers to a run: a result or a failure, checked and taken apart. */
#pragma once

#include "daemon/core/core.h"
#include "daemon/payload.h"
#include "proto/base.h"
#include "proto/rpc.h"

enum {
	ANSWER_E_PROTOCOL = 1
}; /* not what PROTOCOL.md allows; *ret_reason says what (static text) */

/* The fds of one message, in the order of their indexes. Whoever takes them sets n to 0. */
struct message_fds {
	int fds[PROTO_RESULT_FDS];
	unsigned n;
};

/* m came from the worker of slot s, in whose cgroup the kernel killed for lack of memory (was_oom);
 * scan accepted it and found neither ext 2 nor ext 3. May take the fds. 0 and what the core wants
 * to know; ANSWER_E_PROTOCOL; -errno: it is right, but cannot be kept. */
must_check int answer_parse(const struct rpc *m, struct message_fds *fds, const struct slot *s,
	bool was_oom, struct answer *ret, const char **ret_reason);

/* The same for an answer at the front of these bytes, which nobody has looked at, and which no fds
 * came with: how many bytes it has. 0: it may be anything else, nothing was done. */
must_check size_t answer_read(
	const uint8_t *bytes, size_t len, const struct slot *s, struct answer *ret);

/* What a pool reserves for a result of max_result bytes: its record needs room too. */
static inline uint64_t answer_reserve_bytes(uint64_t max_result)
{
	return max_result + PAYLOAD_OWN_BYTES_MAX;
}

/* How large the result of this run may be: as its pool was when it was handed over. */
static inline uint64_t answer_max_result(const struct future *f)
{
	return f->run->result_bytes - PAYLOAD_OWN_BYTES_MAX;
}
/* The same where it goes inline in any case. */
static inline uint64_t answer_packed_bytes(uint64_t max_result)
{
	return answer_reserve_bytes(
		max_result < PROTO_INLINE_BIN_BYTES ? max_result : PROTO_INLINE_BIN_BYTES);
}

/* The same for its fds: an encoding around the inline limit may lie in one more. */
#define ANSWER_RESERVE_FDS (PROTO_RESULT_FDS + 1)
