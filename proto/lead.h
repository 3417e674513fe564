/* What the first byte of a MessagePack element says: one table for all who walk over elements. */
#pragma once

#include <endian.h>
#include <string.h>

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
/* How long a whole element is, by its lead byte alone: for scalars, the most of all elements, which
 * those who walk over elements see to first. 0: the table above tells. */
extern const uint8_t lead_scalar_bytes[256];

static inline int lead_is_container(const struct lead *lead)
{
	return lead->kind == LEAD_ARRAY || lead->kind == LEAD_MAP;
}

/* A map or an array of at most 15: the lead byte tells how many. */
#define LEAD_FIXMAP   0x80
#define LEAD_FIXARRAY 0x90
static inline int lead_is_small_container(uint8_t lead)
{
	return (lead & 0xe0) == LEAD_FIXMAP;
}

/* The big-endian number in `width` bytes (1, 2, 4 or 8). */
static inline uint64_t lead_number(const uint8_t *p, unsigned width)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (width) {
	case 1: return *p;
	case 2: memcpy(&v2, p, sizeof(v2)); return be16toh(v2);
	case 4: memcpy(&v4, p, sizeof(v4)); return be32toh(v4);
	default: memcpy(&v8, p, sizeof(v8)); return be64toh(v8);
	}
}

/* The n of the element that starts at p, whose head is all there: bytes of payload, or elements
 * inside (both halves of a pair), either way the least that follows the head. */
static inline uint64_t lead_n(const struct lead *lead, const uint8_t *p)
{
	uint64_t n = lead->width ? lead_number(p + 1, lead->width)
				 : (uint64_t)(*p & lead->mask) + lead->fixed;

	return lead->kind == LEAD_MAP ? n * 2 : n;
}
