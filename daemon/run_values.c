/* A value's own indexes count from 0; in a packet they stand behind those of the input and of the
 * values before it. The bytes of a small encoding are copied in any case, so the copy is changed.
 * One in a memfd is shared by all who use it: if it names fds, which few do, it gets a copy too.
 *
 * Such copies are charged to nobody. The values are, where they are kept. A copy is made for a job
 * that is handed over and goes when its worker is through with it, or when that one's cache of
 * values has no more room: so what bounds them is the number of workers and `ahead`. A job that had
 * to wait for room for them could wait for ever, since its own inputs hold the room.
 */
#include "daemon/run_values.h"

#include <errno.h>

#include "daemon/core/edge.h"
#include "daemon/payload.h"
#include "proto/cursor.h"
#include "proto/shm.h"

static void count(struct run_values *v, const struct payload *p)
{
	uint64_t sum;

	v->n++;
	v->n_fds += p ? payload_charge_fds(p) : 0;
	v->inline_bytes += p && !payload_is_spilled(p) ? p->len : 1;
	if (p && __builtin_add_overflow(p->len, payload_memfd_bytes(p), &sum))
		sum = UINT64_MAX;
	else
		sum = p ? p->len + payload_memfd_bytes(p) : 1;
	if (__builtin_add_overflow(v->payload_bytes, sum, &v->payload_bytes))
		v->payload_bytes = UINT64_MAX;
}

struct run_values run_values_of(const struct future *f)
{
	struct run_values v = {.n_fds = f->input ? payload_charge_fds(f->input) : 0};
	const struct edge *e = NULL;

	while ((e = edges_next_input(f, e)))
		if (e->on->state == FUTURE_DONE)
			count(&v, future_value(e->on));
	return v;
}

bool run_values_exceed(
	const struct run_values *v, const char **ret_limit, uint64_t *ret_value, uint64_t *ret_max)
{
	if (v->n_fds > PROTO_JOB_FDS) {
		*ret_limit = "job_fds";
		*ret_value = v->n_fds;
		*ret_max = PROTO_JOB_FDS;
	} else if (v->inline_bytes > PROTO_VALUES_BYTES) {
		*ret_limit = "values_bytes";
		*ret_value = v->inline_bytes;
		*ret_max = PROTO_VALUES_BYTES;
	} else {
		return false;
	}
	return true;
}

void run_fds_deinit(struct run_fds *fds)
{
	for (unsigned i = 0; i < fds->n; i++)
		if (fds->made & 1ull << i)
			fd_close(fds->fds[i]);
	fds->n = 0;
}

static int add_fd(struct run_fds *fds, int fd)
{
	if (fds->n == ARRAY_SIZE(fds->fds))
		return -E2BIG;
	fds->fds[fds->n++] = fd;
	return 0;
}

/* In a copy: each index by so many more. */
static void shift_indexes(uint8_t *bytes, size_t len, unsigned by)
{
	struct cursor c = cursor_of(bytes, len);

	while (!cursor_at_end(&c)) {
		const uint8_t *index = cursor_fd_index(&c);

		if (index)
			bytes[index - bytes] = (uint8_t)(*index + by);
		else if (!cursor_step(&c))
			break;
	}
}

/* An encoding in a memfd, with its indexes shifted. The fd, or -errno. */
static int shift_spilled(const struct payload *v, unsigned by)
{
	cleanup_free uint8_t *loaded = NULL;

	if (!payload_encoding(v, &loaded))
		return -ENOMEM;
	shift_indexes(loaded, v->len, by);
	return shm_from_bytes("poold-value", loaded, v->len);
}

static int pack_ext(struct bufpack *p, struct run_fds *fds, int fd, bool is_made)
{
	uint8_t index = (uint8_t)fds->n;
	int r = add_fd(fds, fd);

	if (r < 0) {
		if (is_made)
			fd_close(fd);
		return r;
	}
	if (is_made)
		fds->made |= 1ull << index;
	bufpack_ext(p, PROTO_EXT_VALUE, &index, 1);
	return 0;
}

static int pack_value(struct bufpack *p, const struct payload *v, struct run_fds *fds)
{
	unsigned base = fds->n;
	size_t at;
	int r = 0;

	for (unsigned i = 0; i < v->n_fds && r == 0; i++)
		r = add_fd(fds, payload_memfds(v)->fds[i]);
	if (r < 0)
		return r;
	if (payload_is_spilled(v)) {
		bool is_made = v->n_fds > 0 && base > 0;
		int fd = is_made ? shift_spilled(v, base) : payload_spill_fd(v);

		return fd < 0 ? fd : pack_ext(p, fds, fd, is_made);
	}
	at = buf_used(p->buf);
	bufpack_raw(p, v->bytes, v->len);
	r = bufpack_error(p);
	if (r == 0 && v->n_fds > 0 && base > 0)
		shift_indexes((uint8_t *)(uintptr_t)buf_head(p->buf) + at, v->len, base);
	return r;
}

int run_values_pack(struct buf *b, const struct future *f, uint32_t n, struct run_fds *fds)
{
	const struct edge *e = NULL;
	struct bufpack p;
	int r = 0;

	bufpack_init(&p, b);
	bufpack_map(&p, n);
	while (r == 0 && (e = edges_next_input(f, e))) {
		bufpack_uint(&p, e->on->id);
		if (future_value(e->on))
			r = pack_value(&p, future_value(e->on), fds);
		else
			bufpack_nil(&p);
	}
	return r < 0 ? r : bufpack_error(&p);
}

int run_values_spill(struct bufpack *p, const struct buf *values, struct run_fds *fds)
{
	int fd = shm_from_bytes("poold-values", buf_head(values), buf_used(values));

	return fd < 0 ? fd : pack_ext(p, fds, fd, true);
}
