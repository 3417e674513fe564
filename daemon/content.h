/* What a submit says, as one number: two with the same key must say the same. */
#pragma once

#include "daemon/core/core.h"
#include "proto/cursor.h"
#include "proto/jobspec.h"

/* Function, options (but `deliver`, which says where the answer goes, not what the job is), the
 * bytes of the value, and the size of each memfd behind it; the place of each is in the bytes. A
 * function of NULL: put. 0 or -errno. */
must_check int content_of(const struct core *core, const struct function *function,
	const struct jobspec *spec, const struct cursor *value, const int *fds, unsigned n_fds,
	uint64_t *ret);
