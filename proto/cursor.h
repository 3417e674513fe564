/* Reads the fields of bytes that scan accepted, in place, without allocating. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"
#include "proto/lead.h"
#include "proto/text.h"

struct cursor {
	const uint8_t *p;
	const uint8_t *end;
};

enum cursor_type {
	CURSOR_END, /* no more bytes (or 0xc1, which no checked bytes hold) */
	CURSOR_NIL,
	CURSOR_BOOL,
	CURSOR_INT, /* fits int64_t or uint64_t */
	CURSOR_FLOAT,
	CURSOR_STR,
	CURSOR_BIN,
	CURSOR_ARRAY,
	CURSOR_MAP,
	CURSOR_EXT,
};

static inline struct cursor cursor_of(const void *bytes, size_t n)
{
	return (struct cursor){bytes, n ? (const uint8_t *)bytes + n : bytes};
}

static inline bool cursor_at_end(const struct cursor *c)
{
	return c->p >= c->end;
}

/* By the first byte alone. */
enum cursor_type cursor_peek(const struct cursor *c);
/* Each reads one element and moves on; false, and nothing moved, if it is of another type. They
 * stay within [p, end) whatever the bytes are. What nearly all elements are, those whose lead byte
 * tells all, is read here; the others by the function behind. */
must_check bool cursor_long_uint(struct cursor *c, uint64_t *ret);
must_check bool cursor_long_text(struct cursor *c, const char **ret, size_t *ret_len);
must_check bool cursor_long_array(struct cursor *c, uint32_t *ret_n);
must_check bool cursor_long_map(struct cursor *c, uint32_t *ret_n);

static inline size_t cursor_len(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

must_check static inline bool cursor_nil(struct cursor *c)
{
	bool is_nil = !cursor_at_end(c) && *c->p == 0xc0;

	c->p += is_nil;
	return is_nil;
}

must_check static inline bool cursor_bool(struct cursor *c, bool *ret)
{
	if (cursor_at_end(c) || (*c->p & 0xfe) != 0xc2)
		return false;
	*ret = *c->p++ & 1;
	return true;
}

/* Also a signed encoding that is ≥ 0. */
must_check static inline bool cursor_uint(struct cursor *c, uint64_t *ret)
{
	if (cursor_at_end(c) || *c->p >= 0x80)
		return cursor_long_uint(c, ret);
	*ret = *c->p++;
	return true;
}

/* str or bin */
must_check static inline bool cursor_text(struct cursor *c, const char **ret, size_t *ret_len)
{
	size_t n;

	if (cursor_at_end(c) || (*c->p & 0xe0) != 0xa0)
		return cursor_long_text(c, ret, ret_len);
	n = *c->p & 0x1f;
	if (n >= cursor_len(c))
		return false;
	*ret = (const char *)c->p + 1;
	*ret_len = n;
	c->p += 1 + n;
	return true;
}

must_check static inline bool cursor_array(struct cursor *c, uint32_t *ret_n)
{
	if (cursor_at_end(c) || (*c->p & 0xf0) != 0x90)
		return cursor_long_array(c, ret_n);
	if ((*c->p & 0x0fu) >= cursor_len(c))
		return false;
	*ret_n = *c->p++ & 0x0f;
	return true;
}

must_check static inline bool cursor_map(struct cursor *c, uint32_t *ret_n)
{
	if (cursor_at_end(c) || (*c->p & 0xf0) != 0x80)
		return cursor_long_map(c, ret_n);
	if ((*c->p & 0x0fu) * 2 >= cursor_len(c))
		return false;
	*ret_n = *c->p++ & 0x0f;
	return true;
}

must_check bool cursor_int(struct cursor *c, int64_t *ret);
must_check bool cursor_number(struct cursor *c, double *ret); /* int or float */
must_check bool cursor_bytes(
	struct cursor *c, const void **ret, size_t *ret_len); /* the same, as bytes */
/* Is it an ext at all? */
static inline bool cursor_is_ext(const struct cursor *c)
{
	return !cursor_at_end(c) &&
	       ((*c->p >= 0xc7 && *c->p <= 0xc9) || (*c->p >= 0xd4 && *c->p <= 0xd8));
}
must_check bool cursor_ext(struct cursor *c, int8_t *ret_type, const void **ret, size_t *ret_len);
/* Where the index of an ext 1 lies; NULL, and nothing moved, if it is anything else. */
must_check const uint8_t *cursor_fd_index(struct cursor *c);
/* Steps over one element: a whole scalar, or the head of a container, onto the first one inside. */
must_check bool cursor_step(struct cursor *c);
/* Steps over one whole value; *ret_value (may be NULL) becomes a cursor over exactly its bytes. */
must_check bool cursor_long_skip(struct cursor *c, struct cursor *ret_value);
must_check static inline bool cursor_skip(struct cursor *c, struct cursor *ret_value)
{
	size_t n = cursor_at_end(c) ? 0 : lead_scalar_bytes[*c->p];

	if (n == 0 || n > cursor_len(c))
		return cursor_long_skip(c, ret_value);
	if (ret_value)
		*ret_value = (struct cursor){c->p, c->p + n};
	c->p += n;
	return true;
}

/* How deep the value at the cursor nests: 0 for a scalar, 1 for an array of scalars. At most
 * PROTO_DEPTH + 1. */
unsigned cursor_depth(const struct cursor *c);
