#include "proto/cursor.h"

#include <string.h>

#include "proto/lead.h"
#include "proto/limits.h"

/* One element's head, taken apart. Only made when the whole head and payload lie before the end. */
struct element {
	enum lead_kind kind;
	uint8_t lead;
	int8_t ext;
	const uint8_t *body;
	uint64_t n; /* lead_n() */
};

static bool is_container(enum lead_kind kind)
{
	return kind == LEAD_ARRAY || kind == LEAD_MAP;
}

/* How many bytes the scalar at p has; 0 if it is none, or not of those that are told by their lead
 * byte. */
static inline size_t scalar_bytes(const struct cursor *c)
{
	size_t n = lead_scalar_bytes[*c->p];

	return n <= cursor_len(c) ? n : 0;
}

static inline bool element_at(const struct cursor *c, struct element *ret)
{
	const struct lead *lead;
	struct element e;
	size_t head;

	if (c->p >= c->end)
		return false;
	lead = &lead_table[*c->p];
	head = 1u + lead->width + (lead->kind == LEAD_EXT);
	if (lead->kind == LEAD_NONE || cursor_len(c) < head)
		return false;
	e.kind = lead->kind;
	e.lead = *c->p;
	e.ext = lead->kind == LEAD_EXT ? (int8_t)c->p[head - 1] : 0;
	e.body = c->p + head;
	e.n = lead_n(lead, c->p);
	if (e.n > (size_t)(c->end - e.body))
		return false;
	*ret = e;
	return true;
}

/* Behind the element; for a container, onto the first one inside. */
static inline void step_over(struct cursor *c, const struct element *e)
{
	c->p = e->body + (is_container(e->kind) ? 0 : (size_t)e->n);
}

static inline bool take_element(struct cursor *c, enum lead_kind kind, struct element *ret)
{
	if (!element_at(c, ret) || ret->kind != kind)
		return false;
	step_over(c, ret);
	return true;
}

/* The value of an unsigned or signed integer element as 64 bits. */
static uint64_t integer_bits(const struct element *e)
{
	uint64_t v;
	unsigned shift;

	if (e->n == 0) /* fixint: the lead byte is the number */
		return (uint64_t)(int64_t)(int8_t)e->lead;
	v = lead_number(e->body, (unsigned)e->n);
	if (e->kind == LEAD_UINT)
		return v;
	shift = 64 - 8 * (unsigned)e->n;
	return (uint64_t)((int64_t)(v << shift) >> shift);
}

enum cursor_type cursor_peek(const struct cursor *c)
{
	if (cursor_at_end(c))
		return CURSOR_END;
	switch ((enum lead_kind)lead_table[*c->p].kind) {
	case LEAD_NIL: return CURSOR_NIL;
	case LEAD_BOOL: return CURSOR_BOOL;
	case LEAD_UINT:
	case LEAD_SINT: return CURSOR_INT;
	case LEAD_FLOAT: return CURSOR_FLOAT;
	case LEAD_STR: return CURSOR_STR;
	case LEAD_BIN: return CURSOR_BIN;
	case LEAD_ARRAY: return CURSOR_ARRAY;
	case LEAD_MAP: return CURSOR_MAP;
	case LEAD_EXT: return CURSOR_EXT;
	case LEAD_NONE: break;
	}
	return CURSOR_END;
}

/* The 64 bits of an integer, unless they mean another one in the other kind. */
static bool take_integer(struct cursor *c, enum lead_kind other, uint64_t *ret)
{
	struct element e;
	uint64_t v;

	if (!element_at(c, &e) || (e.kind != LEAD_UINT && e.kind != LEAD_SINT))
		return false;
	v = integer_bits(&e);
	if (e.kind == other && v > INT64_MAX)
		return false;
	step_over(c, &e);
	*ret = v;
	return true;
}

bool cursor_long_uint(struct cursor *c, uint64_t *ret)
{
	unsigned width = !cursor_at_end(c) && (*c->p & 0xfc) == 0xcc ? 1u << (*c->p & 3) : 0;

	/* uint 8 to uint 64: what packers write */
	if (width && cursor_len(c) > width) {
		*ret = cursor_len(c) > sizeof(*ret)
			       ? lead_number(c->p + 1, sizeof(*ret)) >> (64 - 8 * width)
			       : lead_number(c->p + 1, width);
		c->p += 1 + width;
		return true;
	}
	return take_integer(c, LEAD_SINT, ret);
}

bool cursor_int(struct cursor *c, int64_t *ret)
{
	uint64_t v;

	if (!take_integer(c, LEAD_UINT, &v))
		return false;
	*ret = (int64_t)v;
	return true;
}

static double float_of(const struct element *e)
{
	uint64_t bits = lead_number(e->body, (unsigned)e->n);
	uint32_t bits32 = (uint32_t)bits;
	double d;
	float f;

	if (e->n == sizeof(d)) {
		memcpy(&d, &bits, sizeof(d));
		return d;
	}
	memcpy(&f, &bits32, sizeof(f));
	return (double)f;
}

bool cursor_number(struct cursor *c, double *ret)
{
	struct element e;
	uint64_t bits;

	/* float 64: what packers write */
	if (cursor_len(c) > sizeof(bits) && *c->p == 0xcb) {
		bits = lead_number(c->p + 1, sizeof(bits));
		memcpy(ret, &bits, sizeof(bits));
		c->p += 1 + sizeof(bits);
		return true;
	}
	if (!element_at(c, &e))
		return false;
	switch (e.kind) {
	case LEAD_UINT: *ret = (double)integer_bits(&e); break;
	case LEAD_SINT: *ret = (double)(int64_t)integer_bits(&e); break;
	case LEAD_FLOAT: *ret = float_of(&e); break;
	default: return false;
	}
	step_over(c, &e);
	return true;
}

bool cursor_bytes(struct cursor *c, const void **ret, size_t *ret_len)
{
	struct element e;

	if (!element_at(c, &e) || (e.kind != LEAD_STR && e.kind != LEAD_BIN))
		return false;
	step_over(c, &e);
	*ret = e.body;
	*ret_len = (size_t)e.n;
	return true;
}

bool cursor_long_text(struct cursor *c, const char **ret, size_t *ret_len)
{
	const void *bytes;

	if (!cursor_bytes(c, &bytes, ret_len))
		return false;
	*ret = bytes;
	return true;
}

bool cursor_long_array(struct cursor *c, uint32_t *ret_n)
{
	struct element e;

	if (!take_element(c, LEAD_ARRAY, &e))
		return false;
	*ret_n = (uint32_t)e.n;
	return true;
}

bool cursor_long_map(struct cursor *c, uint32_t *ret_n)
{
	struct element e;

	if (!take_element(c, LEAD_MAP, &e))
		return false;
	*ret_n = (uint32_t)(e.n / 2);
	return true;
}

bool cursor_ext(struct cursor *c, int8_t *ret_type, const void **ret, size_t *ret_len)
{
	struct element e;

	if (!take_element(c, LEAD_EXT, &e))
		return false;
	*ret_type = e.ext;
	*ret = e.body;
	*ret_len = (size_t)e.n;
	return true;
}

const uint8_t *cursor_fd_index(struct cursor *c)
{
	struct element e;

	if (!element_at(c, &e) || e.kind != LEAD_EXT || e.ext != PROTO_EXT_FD || e.n != 1)
		return NULL;
	step_over(c, &e);
	return e.body;
}

bool cursor_step(struct cursor *c)
{
	struct element e;

	if (!element_at(c, &e))
		return false;
	step_over(c, &e);
	return true;
}

bool cursor_long_skip(struct cursor *c, struct cursor *ret_value)
{
	struct cursor at = *c;
	struct element e;
	size_t n;

	/* each element takes a byte at least, so `owed` is checked against what is left and cannot
	 * run away */
	for (uint64_t owed = 1; owed > 0; owed--) {
		if (owed > cursor_len(&at))
			return false;
		n = scalar_bytes(&at);
		if (n) {
			at.p += n;
			continue;
		}
		if (!element_at(&at, &e))
			return false;
		if (is_container(e.kind))
			owed += e.n;
		step_over(&at, &e);
	}
	if (ret_value)
		*ret_value = (struct cursor){c->p, at.p};
	c->p = at.p;
	return true;
}

unsigned cursor_depth(const struct cursor *c)
{
	uint64_t left[PROTO_DEPTH + 1];
	struct cursor at = *c;
	unsigned depth = 0, deepest = 0;
	struct element e;

	while (element_at(&at, &e)) {
		step_over(&at, &e);
		if (is_container(e.kind)) {
			if (depth + 1 > deepest)
				deepest = depth + 1;
			if (deepest == ARRAY_SIZE(left))
				break;
			if (e.n > 0) {
				left[depth++] = e.n;
				continue;
			}
		}
		while (depth > 0 && --left[depth - 1] == 0)
			depth--;
		if (depth == 0)
			break;
	}
	return deepest;
}
