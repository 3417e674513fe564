/* What came from the daemon: a message, and the value that a future or a reply keeps of it. */
#pragma once

#include "proto/cursor.h"
#include "proto/rpc.h"

/* A message that arrived, taken apart. */
struct cl_message {
	struct rpc rpc;
	const int *fds;
	unsigned n_fds;
	bool are_fds_taken; /* by a value */
};

/* Short values need no memory of their own. */
#define CL_SMALL_BYTES 32u

struct cl_part {
	int fd;
	bool is_checked; /* a sealed memfd of len bytes */
	size_t len;
	const void *map; /* NULL until asked for */
};

struct cl_parts {
	unsigned n;
	struct cl_part part[];
};

/* A result's encoding, or an error: code, NUL, message, NUL, encoding of the details. */
struct cl_value {
	uint8_t *bytes; /* == small, or allocated */
	struct cl_parts *parts;
	uint32_t len;	     /* a message has less */
	uint32_t message_at; /* of an error */
	uint32_t details_at; /* of an error; 0 in a result */
	uint8_t small[CL_SMALL_BYTES];
};

/* It is empty again; of one that holds no memory nothing but that has to be written. */
void cl_value_drop(struct cl_value *v);
static inline void cl_value_deinit(struct cl_value *v)
{
	if (v->parts || (v->bytes && v->bytes != v->small))
		cl_value_drop(v);
	v->bytes = NULL;
	v->details_at = 0;
}

/* Into an empty value; with the fds of the message. */
must_check int cl_value_take_result(
	struct cl_value *v, struct cl_message *m, const struct cursor *encoded);
/* *error stands on [code, message, details]; -EPROTO if it does not. */
must_check int cl_value_take_error(
	struct cl_value *v, struct cl_message *m, const struct cursor *error);
/* The error of whoever still waited when the connection ended. */
void cl_value_set_disconnected(struct cl_value *v);
static inline bool cl_value_is_error(const struct cl_value *v)
{
	return v->details_at > 0;
}
const char *cl_value_code(const struct cl_value *v);
const char *cl_value_message(const struct cl_value *v);
/* The result's or the details' encoding; empty if there is none. */
struct cursor cl_value_encoded(const struct cl_value *v);
must_check int cl_value_get_fd(struct cl_value *v, unsigned index, size_t *ret_len);
must_check int cl_value_get_part(
	struct cl_value *v, unsigned index, const void **ret, size_t *ret_len);
/* The bytes that str, bin or ext 1 at c stand for; -ENOMSG for anything else. */
must_check int cl_value_get_bytes(
	struct cl_value *v, const struct cursor *c, const void **ret, size_t *ret_len);
