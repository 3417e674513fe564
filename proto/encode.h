/* MessagePack written where there is room for it: each writes one thing at `at` and returns where
 * the next goes. For what is written for every job, where asking for room piece by piece costs more
 * than the pieces; bufpack_open() asks for a whole sequence. All else goes by bufpack_*.
 */
#pragma once

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "proto/base.h"

/* The most that one takes. */
#define ENCODE_UINT_BYTES   9u
#define ENCODE_DOUBLE_BYTES 9u
#define ENCODE_WORD_BYTES   32u
/* A literal's. */
#define ENCODE_KEY_BYTES(literal) sizeof(literal)
/* Elements or pairs of a small container. */
#define ENCODE_SMALL 15u

static inline uint8_t *encode_array(uint8_t *at, unsigned n)
{
	*at = (uint8_t)(0x90 | n);
	return at + 1;
}

static inline uint8_t *encode_map(uint8_t *at, unsigned n)
{
	*at = (uint8_t)(0x80 | n);
	return at + 1;
}

static inline uint8_t *encode_nil(uint8_t *at)
{
	*at = 0xc0;
	return at + 1;
}

static inline uint8_t *encode_bool(uint8_t *at, bool v)
{
	*at = v ? 0xc3 : 0xc2;
	return at + 1;
}

static inline uint8_t *encode_bytes(uint8_t *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

/* Of at most 31 bytes: with n known to the compiler some stores, and no call. */
static inline uint8_t *encode_word(uint8_t *at, const char *text, size_t n)
{
	*at = (uint8_t)(0xa0 | n);
	return encode_bytes(at + 1, text, n);
}

/* Of a literal, a key as a rule. */
#define encode_key(at, literal)                                                                    \
	({                                                                                         \
		static_assert(sizeof("" literal) <= ENCODE_WORD_BYTES, "it fits its lead byte");   \
		encode_word(at, literal, sizeof(literal) - 1);                                     \
	})

static inline uint8_t *encode_u16(uint8_t *at, uint8_t lead, uint16_t v)
{
	v = htobe16(v);
	*at = lead;
	return encode_bytes(at + 1, &v, sizeof(v));
}

static inline uint8_t *encode_u32(uint8_t *at, uint8_t lead, uint32_t v)
{
	v = htobe32(v);
	*at = lead;
	return encode_bytes(at + 1, &v, sizeof(v));
}

static inline uint8_t *encode_u64(uint8_t *at, uint8_t lead, uint64_t v)
{
	v = htobe64(v);
	*at = lead;
	return encode_bytes(at + 1, &v, sizeof(v));
}

/* As short as it can be. */
static inline uint8_t *encode_uint(uint8_t *at, uint64_t v)
{
	if (v < 0x80) {
		*at = (uint8_t)v;
		return at + 1;
	}
	if (v > UINT32_MAX)
		return encode_u64(at, 0xcf, v);
	if (v > UINT16_MAX)
		return encode_u32(at, 0xce, (uint32_t)v);
	if (v > UINT8_MAX)
		return encode_u16(at, 0xcd, (uint16_t)v);
	at[0] = 0xcc;
	at[1] = (uint8_t)v;
	return at + 2;
}

static inline uint8_t *encode_double(uint8_t *at, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return encode_u64(at, 0xcb, bits);
}

/* Seconds from microseconds. */
static inline uint8_t *encode_seconds(uint8_t *at, uint64_t us)
{
	return encode_double(at, (double)us / 1e6);
}
