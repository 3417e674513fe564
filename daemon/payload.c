/* Values are made once, where they come in, and belong to their future from then on: a connection
 * that still sends one pins the future. Who makes a payload has let scan accept it and has matched
 * the indexes in it with the fds.
 */
#include "daemon/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "daemon/closer.h"
#include "daemon/core/slab.h"
#include "daemon/stdio.h"
#include "proto/cursor.h"
#include "proto/shm.h"

/* Values that fit come from a slab: nearly all, where there are many. */
#define SMALL_BYTES 72u

static struct slab small = SLAB_INIT(SMALL_BYTES);

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* A sparse memfd may claim 2^63 bytes, so sums stop at the end of the number. */
static uint64_t add_bytes(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void close_fds(const int *fds, unsigned n_fds)
{
	for (unsigned i = 0; i < n_fds; i++)
		closer_close(fds[i]);
}

/* roles: of an fd of a command; 0: a value. *ret_own: it is no value. 0 and its size, PAYLOAD_E_FD,
 * -errno. */
static int check_fd(
	int fd, unsigned roles, size_t *ret_size, bool *ret_own, const char **ret_reason)
{
	int r = shm_check(fd, SIZE_MAX, ret_size);

	*ret_own = false;
	if (r < 0 || (r == 0 && !(roles & (STDIO_OUT | STDIO_ERR))))
		return r;
	if (r > 0 && (!roles || roles & STDIO_VALUE)) {
		*ret_reason = shm_strerror(r);
		return PAYLOAD_E_FD;
	}
	*ret_size = 0;
	*ret_own = true;
	*ret_reason = stdio_check(fd, roles);
	return *ret_reason ? PAYLOAD_E_FD : 0;
}

static void set_memfds(struct payload *p, struct payload_memfds *memfds)
{
	memcpy(p->bytes + payload_kept_len(p), &memfds, sizeof(memfds));
}

/* Moves the fds in, each checked. */
static int take_fds(struct payload *p, const int *fds, unsigned n_fds, const uint8_t *roles,
	const char **ret_reason)
{
	struct payload_memfds *memfds = calloc(1, sizeof(*memfds));

	if (!memfds)
		return -ENOMEM;
	set_memfds(p, memfds);
	for (unsigned i = 0; i < n_fds; i++) {
		size_t size;
		bool is_own;
		int r;

		r = check_fd(fds[i], roles ? roles[i] : 0, &size, &is_own, ret_reason);
		if (r != 0)
			return r;
		p->own |= (uint8_t)(is_own << i);
		memfds->size[i] = size;
		memfds->bytes = add_bytes(memfds->bytes, size);
	}
	memcpy(memfds->fds, fds, n_fds * sizeof(*fds));
	p->n_fds = n_fds & 0x7f;
	return 0;
}

/* A value may name the same memfd many times. */
static uint64_t expand(const struct payload *p, const uint8_t *encoding, size_t len)
{
	struct cursor c = cursor_of(encoding, len);
	uint64_t sum = len;

	while (!cursor_at_end(&c)) {
		const uint8_t *index = cursor_fd_index(&c);

		if (index) {
			uint64_t bytes = payload_memfds(p)->size[*index];

			sum = add_bytes(sum, bytes > UINT32_MAX ? UINT64_MAX : bytes + 5);
		} else if (!cursor_step(&c)) {
			break;
		}
	}
	return sum;
}

static void set_spill_fd(struct payload *p, int fd)
{
	memcpy(p->bytes, &fd, sizeof(fd));
}

static int set_encoding(struct payload *p, const uint8_t *encoding, size_t len)
{
	int fd;

	if (len <= PROTO_INLINE_BYTES) {
		memcpy(p->bytes, encoding, len);
		return 0;
	}
	fd = shm_from_bytes("poold-value", encoding, len);
	set_spill_fd(p, fd);
	return fd < 0 ? fd : 0;
}

/* Of one whose encoding has so many bytes. */
static size_t memory_of(size_t len, bool has_memfds)
{
	return offsetof(struct payload, bytes) + (len > PROTO_INLINE_BYTES ? sizeof(int) : len) +
	       (has_memfds ? sizeof(struct payload_memfds *) : 0);
}

/* Zeroed but for the bytes; it spilled into no fd yet. */
static struct payload *take_memory(size_t len, bool has_memfds)
{
	struct payload *p;

	if (memory_of(len, has_memfds) <= SMALL_BYTES)
		p = slab_take(&small);
	else
		p = malloc(larger(memory_of(len, has_memfds), sizeof(*p)));
	if (!p)
		return NULL;
	*p = (struct payload){.len = (uint32_t)len, .has_memfds = has_memfds};
	if (has_memfds)
		set_memfds(p, NULL);
	if (payload_is_spilled(p))
		set_spill_fd(p, -1);
	return p;
}

static void give_memory(struct payload *p)
{
	if (memory_of(p->len, p->has_memfds) <= SMALL_BYTES)
		slab_give(&small, p);
	else
		free(p);
}

int payload_new_command(const uint8_t *encoding, size_t len, const int *fds, unsigned n_fds,
	const uint8_t *roles, struct payload **ret, const char **ret_reason)
{
	struct payload *p = NULL;
	int r = PAYLOAD_E_FD;

	if (n_fds > PROTO_RESULT_FDS) {
		*ret_reason = "more fds than a value may have";
		goto fail;
	}
	r = -ENOMEM;
	p = take_memory(len, n_fds > 0);
	if (!p)
		goto fail;
	r = set_encoding(p, encoding, len);
	if (r == 0 && n_fds > 0)
		r = take_fds(p, fds, n_fds, roles, ret_reason);
	if (r != 0)
		goto fail;
	if (n_fds > 0)
		payload_memfds(p)->expanded = expand(p, encoding, len);
	*ret = p;
	return 0;
fail:
	close_fds(fds, n_fds);
	payload_free(p);
	return r;
}

int payload_new(const uint8_t *encoding, size_t len, const int *fds, unsigned n_fds,
	struct payload **ret, const char **ret_reason)
{
	return payload_new_command(encoding, len, fds, n_fds, NULL, ret, ret_reason);
}

void payload_close_own(struct payload *p)
{
	for (unsigned i = 0; i < p->n_fds; i++)
		if (p->own >> i & 1)
			closer_close(take_fd(&payload_memfds(p)->fds[i]));
}

static int share_fd(int fd, int *ret)
{
	*ret = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd >= 0 && *ret < 0 ? -errno : 0;
}

static int share_memfds(struct payload *p, const struct payload *from)
{
	struct payload_memfds *memfds = malloc(sizeof(*memfds));
	int r = 0;

	if (!memfds)
		return -ENOMEM;
	*memfds = *payload_memfds(from);
	set_memfds(p, memfds);
	for (; r == 0 && p->n_fds < from->n_fds; p->n_fds += r == 0)
		r = share_fd(payload_memfds(from)->fds[p->n_fds], &memfds->fds[p->n_fds]);
	return r;
}

int payload_copy(const struct payload *from, struct payload **ret)
{
	struct payload *p = take_memory(from->len, from->n_fds > 0);
	int r = 0, fd;

	if (!p)
		return -ENOMEM;
	p->own = from->own;
	if (payload_is_spilled(from)) {
		r = share_fd(payload_spill_fd(from), &fd);
		set_spill_fd(p, fd);
	} else {
		memcpy(p->bytes, from->bytes, from->len);
	}
	if (r == 0 && from->n_fds > 0)
		r = share_memfds(p, from);
	if (r < 0) {
		payload_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct payload *payload_free(struct payload *p)
{
	if (!p)
		return NULL;
	if (p->has_memfds)
		close_fds(payload_memfds(p)->fds, p->n_fds);
	free(payload_memfds(p));
	if (payload_spill_fd(p) >= 0)
		closer_close(payload_spill_fd(p));
	give_memory(p);
	return NULL;
}

const uint8_t *payload_encoding(const struct payload *p, uint8_t **ret_loaded)
{
	cleanup_free uint8_t *loaded = NULL;

	if (!payload_is_spilled(p))
		return p->bytes;
	loaded = malloc(p->len);
	if (!loaded || pread(payload_spill_fd(p), loaded, p->len, 0) != (ssize_t)p->len)
		return NULL;
	return *ret_loaded = take_ptr(loaded);
}

uint64_t payload_charge_bytes(const struct payload *p)
{
	return add_bytes(payload_own_bytes(p->n_fds) + p->len, payload_memfd_bytes(p));
}

uint16_t payload_charge_fds(const struct payload *p)
{
	return (uint16_t)(p->n_fds + payload_is_spilled(p));
}

struct moved payload_moved(const struct payload *p)
{
	return (struct moved){
		.inline_bytes = p->len,
		.memfd_bytes = payload_memfd_bytes(p),
		.copied_bytes = payload_is_spilled(p) ? p->len : 0,
	};
}

int payload_measure_fds(const int *fds, unsigned n_fds, uint64_t *bytes)
{
	for (unsigned i = 0; i < n_fds; i++) {
		size_t size;
		int r = shm_check(fds[i], SIZE_MAX, &size);

		if (r < 0)
			return r;
		if (r == 0)
			*bytes = add_bytes(*bytes, size);
	}
	return 0;
}
