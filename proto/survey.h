/* One walk over a value: where it ends, how deep it nests, what it names that lies elsewhere. */
#pragma once

#include <stdbool.h>

#include "proto/cursor.h"
#include "proto/limits.h"

struct survey {
	struct cursor value; /* exactly its bytes */
	unsigned depth;	     /* 0 for a scalar, 1 for an array of scalars */
	bool has_fds;	     /* an ext 1 or 3 */
	unsigned n_ids;	     /* distinct ones */
	uint64_t *
		ids; /* of the futures that it names, ascending: PROTO_JOB_VALUES of the caller's */
};

enum {
	SURVEY_E_BYTES = 1, /* there is no whole value */
	SURVEY_E_DEEP = 2,  /* more than PROTO_VALUE_DEPTH */
	SURVEY_E_ID = 3,    /* an ext 2 that is no ID: at most 2^53-1 */
	SURVEY_E_MANY = 4,  /* more than PROTO_JOB_VALUES distinct IDs */
};

/* Of the value at c, which then stands behind it. Bytes that scan accepted; it stays within them
 * whatever they are. 0 or a SURVEY_E_, with depth and n_ids as far as it came. */
must_check int survey_value(struct survey *s, struct cursor *c, uint64_t *ids);
