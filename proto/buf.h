/* A growable byte buffer with a hard cap. Bytes are added behind and consumed in front.
 *
 *	data      data+head          data+tail      data+size
 *	|  gone   |  buf_head … used  |  room        |
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "proto/base.h"
#include "proto/encode.h"

struct buf {
	uint8_t *data;
	size_t head;
	size_t tail;
	size_t size;
	size_t max; /* size never exceeds this */
};

#define BUF_INIT(cap) ((struct buf){.max = (cap)})

void buf_init(struct buf *b, size_t max);
/* Gives the memory back; the buffer can be used again. */
void buf_deinit(struct buf *b);

/* NULL before the first byte came. */
static inline const uint8_t *buf_head(const struct buf *b)
{
	return b->data ? b->data + b->head : NULL;
}

static inline size_t buf_used(const struct buf *b)
{
	return b->tail - b->head;
}

/* Makes room for n more bytes behind. -ENOBUFS over the cap, -ENOMEM. */
must_check int buf_reserve(struct buf *b, size_t n);
/* What size the memory would have after buf_reserve(b, n): for charging before it grows. */
size_t buf_size_after(const struct buf *b, size_t n);
/* The room behind: *ret_n bytes may be written there, then buf_commit(). */
uint8_t *buf_room(struct buf *b, size_t *ret_n);
void buf_commit(struct buf *b, size_t n);
static inline void buf_commit_to(struct buf *b, const uint8_t *end)
{
	b->tail = (size_t)(end - b->data);
}

must_check static inline int buf_append(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return 0;
	if (n > b->size - b->tail) {
		int r = buf_reserve(b, n);

		if (r < 0)
			return r;
	}
	buf_commit_to(b, encode_bytes(b->data + b->tail, bytes, n));
	return 0;
}

/* Drops n bytes in front. */
static inline void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_used(b));
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

/* Drops all bytes, keeps the memory. */
void buf_clear(struct buf *b);
/* Drops what was appended after buf_used() was n: undoes a half-written message. */
void buf_truncate(struct buf *b, size_t n);
/* The bytes become the caller's (free() them); the buffer is empty. NULL if it was empty. */
uint8_t *buf_take(struct buf *b, size_t *ret_n);

/* Writes MessagePack behind a buffer. It remembers its first failure, so a caller checks
 * bufpack_error() once at the end and then buf_truncate()s, instead of checking every call.
 */
struct bufpack {
	struct buf *buf;
	int error; /* first failure, -errno */
};

static inline void bufpack_init(struct bufpack *p, struct buf *b)
{
	p->buf = b;
	p->error = 0;
}

/* 0, or what went wrong since bufpack_init(). */
must_check static inline int bufpack_error(const struct bufpack *p)
{
	return p->error;
}

/* bufpack_open()'s rare half. */
must_check int bufpack_grow(struct bufpack *p, size_t n);

/* Room for n bytes, for encode_*(); what was written of them ends at bufpack_close(). NULL: there
 * is none, now or since an earlier failure. */
must_check static inline uint8_t *bufpack_open(struct bufpack *p, size_t n)
{
	struct buf *b = p->buf;

	if (__builtin_expect(n > b->size - b->tail, 0) && bufpack_grow(p, n) != 0)
		return NULL;
	return b->data + b->tail;
}

static inline void bufpack_close(struct bufpack *p, const uint8_t *end)
{
	buf_commit_to(p->buf, end);
}

void bufpack_text_n(struct bufpack *p, const char *text, size_t n);
/* Literals, that is nearly all keys, are some stores in place. */
static inline void bufpack_text(struct bufpack *p, const char *text)
{
	size_t n = strlen(text);
	uint8_t *at;

	if (!__builtin_constant_p(n) || n >= ENCODE_WORD_BYTES)
		bufpack_text_n(p, text, n);
	else if ((at = bufpack_open(p, 1 + n)))
		bufpack_close(p, encode_word(at, text, n));
}
void bufpack_bin(struct bufpack *p, const void *bytes, size_t n);
/* Its head alone; the n bytes follow by bufpack_raw(). */
void bufpack_bin_head(struct bufpack *p, size_t n);
void bufpack_uint(struct bufpack *p, uint64_t v);
void bufpack_int(struct bufpack *p, int64_t v);
void bufpack_bool(struct bufpack *p, bool v);
static inline void bufpack_nil(struct bufpack *p)
{
	uint8_t *at = bufpack_open(p, 1);

	if (at)
		bufpack_close(p, encode_nil(at));
}

void bufpack_array_n(struct bufpack *p, size_t n);
void bufpack_map_n(struct bufpack *p, size_t n);
static inline void bufpack_array(struct bufpack *p, size_t n)
{
	uint8_t *at;

	if (!__builtin_constant_p(n) || n > ENCODE_SMALL)
		bufpack_array_n(p, n);
	else if ((at = bufpack_open(p, 1)))
		bufpack_close(p, encode_array(at, (unsigned)n));
}

static inline void bufpack_map(struct bufpack *p, size_t n)
{
	uint8_t *at;

	if (!__builtin_constant_p(n) || n > ENCODE_SMALL)
		bufpack_map_n(p, n);
	else if ((at = bufpack_open(p, 1)))
		bufpack_close(p, encode_map(at, (unsigned)n));
}

void bufpack_double(struct bufpack *p, double v);
/* Seconds from microseconds. */
void bufpack_seconds(struct bufpack *p, uint64_t us);
void bufpack_ext_fd(struct bufpack *p, uint8_t index);
void bufpack_ext(struct bufpack *p, int8_t type, const void *bytes, size_t n);
/* An encoded value as it is. */
void bufpack_raw(struct bufpack *p, const void *encoded, size_t n);

/* One key of a map, and its value. */
static inline void bufpack_field_text(struct bufpack *p, const char *key, const char *text)
{
	bufpack_text(p, key);
	bufpack_text(p, text);
}

static inline void bufpack_field_uint(struct bufpack *p, const char *key, uint64_t v)
{
	bufpack_text(p, key);
	bufpack_uint(p, v);
}

static inline void bufpack_field_bool(struct bufpack *p, const char *key, bool v)
{
	bufpack_text(p, key);
	bufpack_bool(p, v);
}

static inline void bufpack_field_seconds(struct bufpack *p, const char *key, uint64_t us)
{
	bufpack_text(p, key);
	bufpack_seconds(p, us);
}
