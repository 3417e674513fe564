/* The futures that a job shall run after: the options `after` and `after_any`. */
#pragma once

#include "daemon/core/edge.h"
#include "daemon/request.h"
#include "proto/jobspec.h"

/* Finds them. The list is the caller's, NULL if there are none. False: one is not there for this client,
 * and the request is refused. */
must_check bool after_find(
	struct request *r, const struct jobspec *spec, struct after **ret, uint32_t *ret_n);
