/* Where the IDs of futures begin, so that none is given out twice, not even after a crash. */
#pragma once

#include <stdint.h>

#include "proto/base.h"

/* IDs that one move of the mark reserves. */
#define IDMARK_BLOCK (1ull << 32)

enum {
	IDMARK_E_HELD = 1, /* another poold runs in this directory; logged with its pid */
};

struct idmark;

/* Locks the directory (made if missing) until idmark_free(), and reserves the first block on disk:
 * IDs from *ret_first on, below *ret_end, were never given out. Without a usable directory (NULL,
 * read-only, unsafe, full) they begin at the time in units of 1/4 µs, and a warning is logged. 0,
 * IDMARK_E_HELD, -ERANGE (all IDs below 2^53 are used up; logged), -ENOMEM. */
must_check int idmark_new(
	const char *state_dir, struct idmark **ret, uint64_t *ret_first, uint64_t *ret_end);
/* The lock goes, the mark stays. Takes NULL, returns NULL. */
struct idmark *idmark_free(struct idmark *m);
DEFINE_CLEANUP(struct idmark *, idmark_free)
/* Once per turn, with the next ID to be given out: when half of the last block is used, reserves
 * the next one, with an fsync. The end of what is reserved: the same as before if the disk refuses
 * (logged, tried again later) or no IDs are left. */
uint64_t idmark_reserve_more(struct idmark *m, uint64_t next_id);
