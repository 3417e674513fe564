/* The form of a submit: all of it but the value. Who submits many sends the same one again and
 * again, so what the last ones came to is kept. */
#pragma once

#include "daemon/core/core.h"
#include "proto/jobspec.h"

struct order;

/* Longer ones are read each time. */
#define FORM_BYTES 64

struct form_part {
	size_t n; /* 0: nothing */
	uint8_t bytes[FORM_BYTES];
};

struct form {
	struct form_part address;
	uint64_t n_pool_changes;
	struct pool *pool;
	struct function *function;
	struct form_part options;
	struct jobspec spec;
};

/* The next parameter is a function that was found before: takes it. False: it has to be read. */
must_check bool form_take_function(struct order *o);
/* It was read, and began there. */
void form_keep_function(const struct order *o, const uint8_t *begin);

/* The next parameter is the last one, and of options that were read before: takes it. False: it has
 * to be read. */
must_check bool form_take_options(struct order *o, uint32_t allowed);
/* They were read, and began there. */
void form_keep_options(const struct order *o, const uint8_t *begin);
