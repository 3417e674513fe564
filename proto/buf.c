#include "proto/buf.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "proto/limits.h"

/* The first growth takes this much, so that small messages cost one allocation. */
#define FIRST_BYTES 256u

void buf_init(struct buf *b, size_t max)
{
	*b = BUF_INIT(max);
}

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT(b->max);
}

/* Moving the bytes to the front is worth it when at least as much room comes of it as bytes are
 * moved. */
static bool can_slide(const struct buf *b, size_t n)
{
	return n <= b->size - buf_used(b) && (b->head >= buf_used(b) || b->size == b->max);
}

size_t buf_size_after(const struct buf *b, size_t n)
{
	size_t used = buf_used(b), size;

	if (n <= b->size - b->tail || n > b->max - used || can_slide(b, n))
		return b->size;
	size = b->size < FIRST_BYTES ? FIRST_BYTES : b->size;
	while (size < used + n || size == b->size) {
		if (size > b->max / 2)
			return b->max;
		size *= 2;
	}
	return size < b->max ? size : b->max;
}

int buf_reserve(struct buf *b, size_t n)
{
	size_t used = buf_used(b), size;
	uint8_t *data;

	if (n <= b->size - b->tail)
		return 0;
	if (n > b->max - used)
		return -ENOBUFS;
	size = buf_size_after(b, n);
	if (b->head > 0) {
		memmove(b->data, b->data + b->head, used);
		b->head = 0;
		b->tail = used;
	}
	if (size == b->size)
		return 0;
	data = realloc(b->data, size);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

uint8_t *buf_room(struct buf *b, size_t *ret_n)
{
	*ret_n = b->size - b->tail;
	return b->data ? b->data + b->tail : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->size - b->tail);
	b->tail += n;
}

int buf_append(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return 0;
	if (n > b->size - b->tail) {
		int r = buf_reserve(b, n);

		if (r < 0)
			return r;
	}
	memcpy(b->data + b->tail, bytes, n);
	b->tail += n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_used(b));
	b->head += n;
	if (b->head == b->tail)
		buf_clear(b);
}

void buf_clear(struct buf *b)
{
	b->head = 0;
	b->tail = 0;
}

void buf_truncate(struct buf *b, size_t n)
{
	assert(n <= buf_used(b));
	b->tail = b->head + n;
}

uint8_t *buf_take(struct buf *b, size_t *ret_n)
{
	size_t used = buf_used(b);

	*ret_n = used;
	if (used == 0)
		return NULL;
	if (b->head > 0)
		memmove(b->data, b->data + b->head, used);
	buf_clear(b);
	b->size = 0;
	return take_ptr(b->data);
}

/* ---- MessagePack --------------------------------------------------------------------------------
 * Written here and not by msgpack-c, whose packer calls back for each lead byte, length and body: on
 * the way of a small job that took half of all instructions. What is written is the same, byte for
 * byte (tests/unit/check_buf.c). */

enum {
	LEAD_FIXMAP = 0x80,
	LEAD_FIXARRAY = 0x90,
	LEAD_FIXSTR = 0xa0,
	LEAD_NIL = 0xc0,
	LEAD_FALSE = 0xc2,
	LEAD_TRUE = 0xc3,
	LEAD_BIN8 = 0xc4,
	LEAD_EXT8 = 0xc7,
	LEAD_DOUBLE = 0xcb,
	LEAD_UINT8 = 0xcc,
	LEAD_INT8 = 0xd0,
	LEAD_FIXEXT1 = 0xd4,
	LEAD_STR8 = 0xd9,
	LEAD_ARRAY16 = 0xdc,
	LEAD_MAP16 = 0xde,
};

void bufpack_init(struct bufpack *p, struct buf *b)
{
	p->buf = b;
	p->error = 0;
}

int bufpack_error(const struct bufpack *p)
{
	return p->error;
}

/* Room for n bytes, which count as written. NULL after a failure. */
static inline uint8_t *take(struct bufpack *p, size_t n)
{
	struct buf *b = p->buf;
	uint8_t *at;

	if (p->error)
		return NULL;
	if (n > b->size - b->tail) {
		p->error = buf_reserve(b, n);
		if (p->error)
			return NULL;
	}
	at = b->data + b->tail;
	b->tail += n;
	return at;
}

static inline void put_byte(struct bufpack *p, unsigned byte)
{
	uint8_t *at = take(p, 1);

	if (at)
		at[0] = (uint8_t)byte;
}

/* A lead byte and a big-endian number of 2^log bytes. */
static inline void put_number(struct bufpack *p, unsigned lead, unsigned log, uint64_t v)
{
	uint8_t *at = take(p, 1 + ((size_t)1 << log));
	uint64_t big = htobe64(v << (64 - (8u << log)));

	if (!at)
		return;
	*at = (uint8_t)lead;
	switch (log) {
	case 0: at[1] = (uint8_t)v; break;
	case 1: memcpy(at + 1, &big, 2); break;
	case 2: memcpy(at + 1, &big, 4); break;
	default: memcpy(at + 1, &big, 8); break;
	}
}

/* The least log for which v fits. */
static inline unsigned log_width(uint64_t v)
{
	return v <= UINT8_MAX ? 0 : v <= UINT16_MAX ? 1 : v <= UINT32_MAX ? 2 : 3;
}

/* MessagePack's lengths and counts have 32 bits. */
static inline bool fits(struct bufpack *p, size_t n)
{
	if (n <= UINT32_MAX)
		return true;
	if (p->error == 0)
		p->error = -EMSGSIZE;
	return false;
}

static inline void put_body(struct bufpack *p, const void *bytes, size_t n)
{
	uint8_t *at = take(p, n);

	if (at && n)
		memcpy(at, bytes, n);
}

void bufpack_text_n(struct bufpack *p, const char *text, size_t n)
{
	uint8_t *at;

	if (n < 32) {
		at = take(p, 1 + n);
		if (!at)
			return;
		*at = (uint8_t)(LEAD_FIXSTR | n);
		memcpy(at + 1, text, n);
	} else if (fits(p, n)) {
		put_number(p, LEAD_STR8 + log_width(n), log_width(n), n);
		put_body(p, text, n);
	}
}

void bufpack_bin_head(struct bufpack *p, size_t n)
{
	if (fits(p, n))
		put_number(p, LEAD_BIN8 + log_width(n), log_width(n), n);
}

void bufpack_bin(struct bufpack *p, const void *bytes, size_t n)
{
	bufpack_bin_head(p, n);
	put_body(p, bytes, n);
}

void bufpack_uint(struct bufpack *p, uint64_t v)
{
	if (v < 0x80)
		put_byte(p, (unsigned)v);
	else
		put_number(p, LEAD_UINT8 + log_width(v), log_width(v), v);
}

void bufpack_int(struct bufpack *p, int64_t v)
{
	/* how wide it is without its sign bit, which the width has room for as well */
	unsigned log = log_width(~(uint64_t)v << 1);

	if (v >= 0)
		bufpack_uint(p, (uint64_t)v);
	else if (v >= -32)
		put_byte(p, (uint8_t)v);
	else
		put_number(p, LEAD_INT8 + log, log, (uint64_t)v);
}

void bufpack_bool(struct bufpack *p, bool v)
{
	put_byte(p, v ? LEAD_TRUE : LEAD_FALSE);
}

void bufpack_nil(struct bufpack *p)
{
	put_byte(p, LEAD_NIL);
}

/* Counts up to 15 stand in the lead byte; those of 8 bits have no form of their own. */
static inline void put_count(struct bufpack *p, unsigned fix, unsigned lead16, size_t n)
{
	if (n < 16)
		put_byte(p, fix | (unsigned)n);
	else if (n <= UINT16_MAX)
		put_number(p, lead16, 1, n);
	else if (fits(p, n))
		put_number(p, lead16 + 1, 2, n);
}

void bufpack_array(struct bufpack *p, size_t n)
{
	put_count(p, LEAD_FIXARRAY, LEAD_ARRAY16, n);
}

void bufpack_map(struct bufpack *p, size_t n)
{
	put_count(p, LEAD_FIXMAP, LEAD_MAP16, n);
}

void bufpack_double(struct bufpack *p, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_number(p, LEAD_DOUBLE, 3, bits);
}

void bufpack_seconds(struct bufpack *p, uint64_t us)
{
	bufpack_double(p, (double)us / 1e6);
}

void bufpack_ext_fd(struct bufpack *p, uint8_t index)
{
	bufpack_ext(p, PROTO_EXT_FD, &index, 1);
}

void bufpack_ext(struct bufpack *p, int8_t type, const void *bytes, size_t n)
{
	if (!fits(p, n))
		return;
	if (n > 0 && n <= 16 && (n & (n - 1)) == 0)
		put_byte(p, LEAD_FIXEXT1 + (unsigned)__builtin_ctzl(n));
	else
		put_number(p, LEAD_EXT8 + log_width(n), log_width(n), n);
	put_byte(p, (uint8_t)type);
	put_body(p, bytes, n);
}

void bufpack_raw(struct bufpack *p, const void *encoded, size_t n)
{
	put_body(p, encoded, n);
}
