/* Checks MessagePack from strangers without allocating, and finds where a message ends. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"
#include "proto/limits.h"

/* Conditions of this module; scan_step() also returns SCAN_DONE and SCAN_MORE. */
enum {
	SCAN_DONE = 0,
	SCAN_MORE = 1,	  /* the message goes on behind the bytes so far */
	SCAN_E_LONG = 2,  /* over max_bytes, or counts that cannot fit in it */
	SCAN_E_DEEP = 3,  /* containers nested over max_depth */
	SCAN_E_BYTES = 4, /* not MessagePack (0xc1) */
	SCAN_E_EXT = 5,	  /* ext type 1, 2 or 3 of a wrong length, or index over 63 */
};

struct scan {
	size_t pos; /* where to go on; beyond the bytes so far while a string is skipped */
	size_t max_bytes;
	uint64_t owed; /* elements still to come, hence the least number of bytes still to come */
	uint64_t fd_mask;	    /* indexes that ext types 1 and 3 named */
	uint32_t left[PROTO_DEPTH]; /* elements still to come of each open container */
	uint8_t depth;
	uint8_t max_depth;
	bool has_value_ext;  /* an ext 3 was seen */
	bool has_future_ext; /* an ext 2 was seen */
};

/* max_depth ≤ PROTO_DEPTH. */
void scan_init(struct scan *s, size_t max_bytes, unsigned max_depth);
/* Looks at bytes[s->pos … len); bytes[0] is the message's first. Each byte is looked at once,
 * however often it is called; only the head of an element (≤ 7 bytes) is read again until it is all
 * there. SCAN_DONE: the message is bytes[0 … s->pos). An error is final: the scan gives it again.
 */
must_check int scan_step(struct scan *s, const uint8_t *bytes, size_t len);
/* One complete value of exactly len bytes, nested at most max_depth. 0 or a SCAN_E_; SCAN_E_BYTES
 * also if it ends early or late. ret may be NULL. */
must_check int scan_value(const uint8_t *bytes, size_t len, unsigned max_depth, struct scan *ret);
/* "too long", … for a message to people. */
const char *scan_strerror(int r);
