/* What submit, submit_many, call and put ask for, and the futures made of it. */
#pragma once

#include "daemon/core/edge.h"
#include "daemon/request.h"
#include "proto/jobspec.h"
#include "proto/survey.h"

/* Such a request, taken apart. */
struct order {
	struct request *r;
	struct pool *pool; /* NULL: put */
	struct function *function;
	struct jobspec spec;
	bool is_single;	     /* one value: the message's fds are its own */
	uint32_t n_more;     /* values behind this one */
	bool is_known;	     /* by its key: the future is one that was there */
	struct survey value; /* the one to make a future with */
	bool has_after;	     /* looked for */
	struct after *after; /* n_shared of the options, then those of the value */
	uint32_t n_shared, n_after;
	uint64_t end_id; /* of those that were given out before */
};

void order_deinit(struct order *o);

/* A future with the order's value, which is a part of the message, or the one that has the order's
 * key. The values of a message are handed in one after the other, each once. NULL: refused, and
 * nothing is left. */
struct future *order_make(struct order *o);
/* A job with the input, function, owner and options of f, which is final and has its input. NULL:
 * refused, and nothing is left. */
struct future *order_again(struct order *o, const struct future *f);
/* May this client use the pool? False: it was refused. */
must_check bool order_is_allowed(struct order *o);
/* It never was; one that was there before remains. */
void order_undo(struct order *o, struct future *f);
