/* What the first byte of a MessagePack element says: one table for all who walk over elements. */
#pragma once

#include "proto/base.h"

enum lead_kind {
	LEAD_NONE, /* 0xc1: never used */
	LEAD_NIL,
	LEAD_BOOL,
	LEAD_UINT,
	LEAD_SINT,
	LEAD_FLOAT,
	LEAD_STR,
	LEAD_BIN,
	LEAD_ARRAY,
	LEAD_MAP,
	LEAD_EXT,
};

/* n, the payload's bytes or the container's elements (pairs for a map), is the big-endian number in
 * the `width` bytes behind the lead byte, or with width 0 (lead & mask) + fixed. The type of an ext
 * lies between n and the payload and is not counted in it. */
struct lead {
	uint8_t kind; /* enum lead_kind */
	uint8_t width;
	uint8_t mask;
	uint8_t fixed;
};

extern const struct lead lead_table[256];

/* The big-endian number in `width` bytes (1, 2, 4 or 8). */
static inline uint64_t lead_number(const uint8_t *p, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++)
		v = v << 8 | p[i];
	return v;
}

/* The n of the element that starts at p, whose head is all there: bytes of payload, or elements
 * inside (both halves of a pair), either way the least that follows the head. */
static inline uint64_t lead_n(const struct lead *lead, const uint8_t *p)
{
	uint64_t n = lead->width ? lead_number(p + 1, lead->width)
				 : (uint64_t)(*p & lead->mask) + lead->fixed;

	return lead->kind == LEAD_MAP ? n * 2 : n;
}
