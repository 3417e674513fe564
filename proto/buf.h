/* A growable byte buffer with a hard cap. Bytes are added behind and consumed in front.
 *
 *	data      data+head          data+tail      data+size
 *	|  gone   |  buf_head … used  |  room        |
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "proto/base.h"

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
must_check int buf_append(struct buf *b, const void *bytes, size_t n);
/* Drops n bytes in front. */
void buf_consume(struct buf *b, size_t n);
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

void bufpack_init(struct bufpack *p, struct buf *b);
/* 0, or what went wrong since bufpack_init(). */
must_check int bufpack_error(const struct bufpack *p);
void bufpack_text_n(struct bufpack *p, const char *text, size_t n);
/* In the header, so that the length of a word is known to the compiler. */
static inline void bufpack_text(struct bufpack *p, const char *text)
{
	bufpack_text_n(p, text, strlen(text));
}
void bufpack_bin(struct bufpack *p, const void *bytes, size_t n);
/* Its head alone; the n bytes follow by bufpack_raw(). */
void bufpack_bin_head(struct bufpack *p, size_t n);
void bufpack_uint(struct bufpack *p, uint64_t v);
void bufpack_int(struct bufpack *p, int64_t v);
void bufpack_bool(struct bufpack *p, bool v);
void bufpack_nil(struct bufpack *p);
void bufpack_array(struct bufpack *p, size_t n);
void bufpack_map(struct bufpack *p, size_t n);
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
