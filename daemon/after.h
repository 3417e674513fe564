/* The futures that a job shall run after: the options `after` and `after_any`, and those that its
 * input names. */
#pragma once

#include "daemon/core/edge.h"
#include "daemon/request.h"
#include "proto/jobspec.h"
#include "proto/survey.h"

/* Finds them. The list is the caller's, NULL if there are none. False: one is not there for this
 * client, and the request is refused. */
must_check bool after_find(
	struct request *r, const struct jobspec *spec, struct after **ret, uint32_t *ret_n);
/* The inputs of f, which is final and has its own input. The same. */
must_check bool after_again(
	struct request *r, const struct future *f, struct after **ret, uint32_t *ret_n);
/* Adds those of an input behind the first *n, which becomes how many there are then. IDs from
 * end_id on were not given out when the request came. The same. */
must_check bool after_add_inputs(struct request *r, const struct survey *input, uint64_t end_id,
	struct after **list, uint32_t *n);
