#include "proto/buf.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <msgpack/timestamp.h>
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
 * What most messages are made of is written in place (encode.h). The rest is msgpack-c's encoder,
 * from the template that it is made of: its packer calls back for each lead byte, length and body.
 */

static inline int append(struct bufpack *p, const void *bytes, size_t n)
{
	uint8_t *at;

	if (n == 0)
		return 0;
	at = bufpack_open(p, n);
	if (!at)
		return -ENOBUFS;
	bufpack_close(p, encode_bytes(at, bytes, n));
	return 0;
}

#define msgpack_pack_inline_func(name)		static inline int pack##name
#define msgpack_pack_inline_func_cint(name)	static inline int pack##name
#define msgpack_pack_inline_func_fixint(name)	static inline int pack_fix##name
#define msgpack_pack_user			struct bufpack *
#define msgpack_pack_append_buffer(p, bytes, n) return append(p, bytes, n)
#include <msgpack/pack_template.h>

/* MessagePack's lengths and counts have 32 bits. */
static inline bool fits(struct bufpack *p, size_t n)
{
	if (n <= UINT32_MAX)
		return true;
	if (p->error == 0)
		p->error = -EMSGSIZE;
	return false;
}

int bufpack_grow(struct bufpack *p, size_t n)
{
	if (p->error == 0)
		p->error = buf_reserve(p->buf, n);
	return p->error;
}

void bufpack_text_n(struct bufpack *p, const char *text, size_t n)
{
	uint8_t *at;

	if (!fits(p, n))
		return;
	if (n >= ENCODE_WORD_BYTES) {
		pack_str(p, n);
		append(p, text, n);
	} else if ((at = bufpack_open(p, 1 + n))) {
		bufpack_close(p, encode_word(at, n ? text : "", n));
	}
}

void bufpack_bin_head(struct bufpack *p, size_t n)
{
	if (fits(p, n))
		pack_bin(p, n);
}

void bufpack_bin(struct bufpack *p, const void *bytes, size_t n)
{
	uint8_t *at;

	if (n > UINT8_MAX) {
		bufpack_bin_head(p, n);
		append(p, bytes, n);
		return;
	}
	at = bufpack_open(p, 2 + n);
	if (!at)
		return;
	at[0] = 0xc4;
	at[1] = (uint8_t)n;
	bufpack_close(p, n ? encode_bytes(at + 2, bytes, n) : at + 2);
}

/* By itself, since an array costs its function a guard of the stack. */
static __attribute__((noinline)) void uint_at_the_end(struct bufpack *p, uint64_t v)
{
	uint8_t bytes[ENCODE_UINT_BYTES];

	append(p, bytes, (size_t)(encode_uint(bytes, v) - bytes));
}

void bufpack_uint(struct bufpack *p, uint64_t v)
{
	struct buf *b = p->buf;

	if (b->size - b->tail >= ENCODE_UINT_BYTES)
		bufpack_close(p, encode_uint(b->data + b->tail, v));
	else
		uint_at_the_end(p, v);
}

void bufpack_int(struct bufpack *p, int64_t v)
{
	pack_int64(p, v);
}

void bufpack_bool(struct bufpack *p, bool v)
{
	if (v)
		pack_true(p);
	else
		pack_false(p);
}

void bufpack_array_n(struct bufpack *p, size_t n)
{
	if (fits(p, n))
		pack_array(p, n);
}

void bufpack_map_n(struct bufpack *p, size_t n)
{
	if (fits(p, n))
		pack_map(p, n);
}

void bufpack_double(struct bufpack *p, double v)
{
	uint8_t *at = bufpack_open(p, ENCODE_DOUBLE_BYTES);

	if (at)
		bufpack_close(p, encode_double(at, v));
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
	pack_ext(p, n, type);
	pack_ext_body(p, bytes, n);
}

void bufpack_raw(struct bufpack *p, const void *encoded, size_t n)
{
	append(p, encoded, n);
}
