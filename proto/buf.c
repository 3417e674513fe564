#include "proto/buf.h"

#include <assert.h>
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

static int pack_write(void *data, const char *bytes, size_t n)
{
	struct bufpack *p = data;

	if (p->error == 0)
		p->error = buf_append(p->buf, bytes, n);
	return p->error ? -1 : 0;
}

/* MessagePack's lengths and counts have 32 bits. */
static bool fits(struct bufpack *p, size_t n)
{
	if (n <= UINT32_MAX)
		return true;
	if (p->error == 0)
		p->error = -EMSGSIZE;
	return false;
}

void bufpack_init(struct bufpack *p, struct buf *b)
{
	p->buf = b;
	p->error = 0;
	msgpack_packer_init(&p->pk, p, pack_write);
}

int bufpack_error(const struct bufpack *p)
{
	return p->error;
}

void bufpack_text(struct bufpack *p, const char *text)
{
	bufpack_text_n(p, text, strlen(text));
}

void bufpack_text_n(struct bufpack *p, const char *text, size_t n)
{
	if (fits(p, n))
		msgpack_pack_str_with_body(&p->pk, text, n);
}

void bufpack_bin(struct bufpack *p, const void *bytes, size_t n)
{
	if (fits(p, n))
		msgpack_pack_bin_with_body(&p->pk, bytes, n);
}

void bufpack_uint(struct bufpack *p, uint64_t v)
{
	msgpack_pack_uint64(&p->pk, v);
}

void bufpack_int(struct bufpack *p, int64_t v)
{
	msgpack_pack_int64(&p->pk, v);
}

void bufpack_bool(struct bufpack *p, bool v)
{
	if (v)
		msgpack_pack_true(&p->pk);
	else
		msgpack_pack_false(&p->pk);
}

void bufpack_nil(struct bufpack *p)
{
	msgpack_pack_nil(&p->pk);
}

void bufpack_array(struct bufpack *p, size_t n)
{
	if (fits(p, n))
		msgpack_pack_array(&p->pk, n);
}

void bufpack_map(struct bufpack *p, size_t n)
{
	if (fits(p, n))
		msgpack_pack_map(&p->pk, n);
}

void bufpack_double(struct bufpack *p, double v)
{
	msgpack_pack_double(&p->pk, v);
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
	if (fits(p, n))
		msgpack_pack_ext_with_body(&p->pk, bytes, n, type);
}

void bufpack_raw(struct bufpack *p, const void *encoded, size_t n)
{
	pack_write(p, encoded, n);
}

void bufpack_field_text(struct bufpack *p, const char *key, const char *text)
{
	bufpack_text(p, key);
	bufpack_text(p, text);
}

void bufpack_field_uint(struct bufpack *p, const char *key, uint64_t v)
{
	bufpack_text(p, key);
	bufpack_uint(p, v);
}

void bufpack_field_bool(struct bufpack *p, const char *key, bool v)
{
	bufpack_text(p, key);
	bufpack_bool(p, v);
}

void bufpack_field_seconds(struct bufpack *p, const char *key, uint64_t us)
{
	bufpack_text(p, key);
	bufpack_seconds(p, us);
}
