/* A value may stand in four places: in the packet itself; in a memfd that ext 3 names (its
 * encoding); for a byte string, in a memfd that ext 1 names (its bytes); and in `values`, where ext
 * 2 points. values_resolve() leads from any of them to bytes. A memfd is mapped when it is first
 * asked for.
 *
 * What belongs to the input itself is unmapped when the run is over. What belongs to another future
 * may come again, by the same ID: it goes into the cache with the fd that came first, and the fds
 * that come later are closed at once. The indexes in an encoding are those of one packet, so an
 * encoding in shared memory that has any cannot be kept.
 */
#include "daemon/worker/values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "proto/lead.h"
#include "proto/scan.h"
#include "proto/shm.h"

/* ---- shared memory ------------------------------------------------------------------------------
 */

static int map_fd(struct poold_job *job, unsigned index)
{
	struct job_map *m;
	int r;

	if (index >= job->n_fds || job->fds[index] < 0)
		return -ENOENT;
	if (job->mapped & 1ull << index)
		return 0;
	m = &job->maps[index];
	if (job->parts[index]) {
		r = cache_map(&job->cache, job->parts[index]);
		if (r == 0)
			*m = (struct job_map){
				.p = job->parts[index]->p, .len = job->parts[index]->len};
	} else {
		r = shm_check(job->fds[index], SIZE_MAX, &m->len);
		if (r > 0)
			return -EBADF;
		if (r == 0)
			r = shm_map(job->fds[index], m->len, &m->p);
	}
	if (r == 0)
		job->mapped |= 1ull << index;
	return r;
}

/* The value whose encoding fds[index] holds. It was checked by the daemon; a worker of another's
 * pool is no daemon, so look again. */
static int map_value(struct poold_job *job, unsigned index, struct cursor *ret)
{
	struct job_map *m;
	struct scan s;
	int r;

	r = map_fd(job, index);
	if (r < 0)
		return r;
	m = &job->maps[index];
	if (!(job->scanned & 1ull << index)) {
		if (scan_value(m->p, m->len, PROTO_VALUE_DEPTH + 1, &s) != 0 ||
			(job->n_fds < 64 && s.fd_mask >> job->n_fds))
			return -EBADMSG;
		m->has_fds = s.fd_mask != 0;
		job->scanned |= 1ull << index;
	}
	*ret = cursor_of(m->p, m->len);
	return 0;
}

void values_drop(struct poold_job *job)
{
	for (unsigned i = 0; i < job->n_fds; i++) {
		if (job->parts[i])
			continue;
		if (job->mapped & 1ull << i)
			shm_unmap(job->maps[i].p, job->maps[i].len);
		fd_close(job->fds[i]);
	}
	job->n_fds = 0;
}

int values_take_fd(struct poold_job *job, unsigned index)
{
	int fd;

	if (index >= job->n_fds || job->fds[index] < 0)
		return -ENOENT;
	/* another element may name it, too */
	if (!job->parts[index] && !job->is_each)
		return take_fd(&job->fds[index]);
	fd = fcntl(job->fds[index], F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

/* ---- values of other futures --------------------------------------------------------------------
 */

/* The payload of an ext of this type and length; NULL if it is anything else. */
static const uint8_t *ext_of(struct cursor c, int type, size_t len)
{
	const void *payload;
	int8_t t;
	size_t n;

	return cursor_is_ext(&c) && cursor_ext(&c, &t, &payload, &n) && t == type && n == len
		       ? payload
		       : NULL;
}

/* Where c stands: the value itself, or what its ext 3 holds. */
static int resolve_value(struct poold_job *job, struct cursor c, struct cursor *ret)
{
	const uint8_t *index = ext_of(c, PROTO_EXT_VALUE, 1);

	if (index)
		return map_value(job, *index, ret);
	return cursor_skip(&c, ret) ? 0 : -EINVAL;
}

static const struct job_value *find(const struct poold_job *job, uint64_t id)
{
	uint32_t from = 0, to = job->n_values, at;

	while (job->are_values_sorted && from < to) {
		at = from + (to - from) / 2;
		if (job->values[at].id < id)
			from = at + 1;
		else
			to = at;
	}
	for (; from < job->n_values; from++)
		if (job->values[from].id == id || job->are_values_sorted)
			break;
	return from < job->n_values && job->values[from].id == id ? &job->values[from] : NULL;
}

/* An encoding that was mapped for this run may stay: fds[index] and its mapping become the cache's.
 */
static void keep_encoding(struct poold_job *job, uint64_t id, unsigned index)
{
	struct cached *e;

	if (job->parts[index] || job->maps[index].has_fds)
		return;
	e = cache_find(&job->cache, id);
	if (!e)
		e = cache_add(&job->cache, id);
	if (!e || e->n_parts)
		return;
	cache_set_parts(&job->cache, e, &job->fds[index], 1);
	e->parts[0].p = job->maps[index].p;
	e->parts[0].len = job->maps[index].len;
	job->cache.bytes += e->parts[0].len;
	job->parts[index] = &e->parts[0];
	job->shared |= 1ull << index;
}

static int find_value(struct poold_job *job, uint64_t id, struct cursor *ret)
{
	const struct job_value *v = find(job, id);
	const uint8_t *index;
	int r;

	if (!v)
		return -ENOENT;
	index = ext_of(v->encoded, PROTO_EXT_VALUE, 1);
	r = resolve_value(job, v->encoded, ret);
	if (r == 0 && index)
		keep_encoding(job, id, *index);
	return r;
}

int values_resolve(struct poold_job *job, struct cursor c, struct cursor *ret)
{
	const uint8_t *id = ext_of(c, PROTO_EXT_FUTURE, 8);

	return id ? find_value(job, lead_number(id, 8), ret) : resolve_value(job, c, ret);
}

/* fds[first …] are those of the value: the cache's take their place, or they become the cache's. */
static void share_fds(struct poold_job *job, uint64_t id, unsigned first, unsigned n, bool may_add)
{
	struct cached *e = cache_find(&job->cache, id);

	if (!e && may_add)
		e = cache_add(&job->cache, id);
	if (!e || (e->n_parts ? e->n_parts != n : !may_add))
		return;
	if (!e->n_parts)
		cache_set_parts(&job->cache, e, &job->fds[first], n);
	for (unsigned i = 0; i < n; i++) {
		if (job->fds[first + i] != e->parts[i].fd)
			fd_close(job->fds[first + i]);
		job->fds[first + i] = e->parts[i].fd;
		job->parts[first + i] = &e->parts[i];
		job->shared |= 1ull << (first + i);
	}
	if (!may_add) /* an encoding, which was looked at before it was kept */
		job->scanned |= 1ull << first;
}

/* The fds of a value follow one another; *free_from is behind those of the values before it. */
static void share_value(struct poold_job *job, const struct job_value *v, unsigned *free_from)
{
	bool is_elsewhere = ext_of(v->encoded, PROTO_EXT_VALUE, 1);
	unsigned first, n;
	struct scan s;

	if (scan_value(v->encoded.p, cursor_len(&v->encoded), PROTO_VALUE_DEPTH + 1, &s) != 0 ||
		!s.fd_mask || s.fd_mask & (job->mapped | job->shared))
		return;
	first = (unsigned)__builtin_ctzll(s.fd_mask);
	n = (unsigned)__builtin_popcountll(s.fd_mask);
	if (first < *free_from || first + n > job->n_fds || n > CACHE_PARTS ||
		s.fd_mask >> first != (n < 64 ? (1ull << n) - 1 : UINT64_MAX))
		return;
	*free_from = first + n;
	share_fds(job, v->id, first, n, !is_elsewhere);
}

bool values_parse(struct poold_job *job, struct cursor *c)
{
	struct cursor map, value;
	unsigned free_from = 0;
	uint32_t n;

	if (!cursor_skip(c, &value) || resolve_value(job, value, &map) < 0 ||
		!cursor_map(&map, &n) || n > PROTO_JOB_VALUES)
		return false;
	job->are_values_sorted = true;
	for (job->n_values = 0; job->n_values < n; job->n_values++) {
		struct job_value *v = &job->values[job->n_values];

		if (!cursor_uint(&map, &v->id) || !cursor_skip(&map, &v->encoded))
			return false;
		if (job->n_values > 0 && v[-1].id >= v->id)
			job->are_values_sorted = false;
		share_value(job, v, &free_from);
	}
	return true;
}

/* ---- byte strings -------------------------------------------------------------------------------
 */

/* Either its bytes, or the index of its memfd. */
static int find_bytes(
	struct poold_job *job, struct cursor c, int *ret_index, const void **ret, size_t *ret_len)
{
	const uint8_t *fd_index;
	struct cursor value;
	int r;

	r = values_resolve(job, c, &value);
	if (r < 0)
		return r;
	*ret_index = -1;
	if (cursor_bytes(&value, ret, ret_len))
		return 0;
	fd_index = cursor_fd_index(&value);
	if (!fd_index)
		return -EINVAL;
	*ret_index = *fd_index;
	return 0;
}

int values_bytes(struct poold_job *job, struct cursor c, const void **ret, size_t *ret_len)
{
	int index, r;

	if (cursor_bytes(&c, ret, ret_len)) /* where it is, as nearly all are */
		return 0;
	r = find_bytes(job, c, &index, ret, ret_len);
	if (r < 0 || index < 0)
		return r;
	return poold_job_map(job, (unsigned)index, ret, ret_len);
}

int values_named_fd(const struct poold_job *job, struct cursor c)
{
	const uint8_t *index = cursor_fd_index(&c);

	return index ? poold_job_fd(job, *index) : -EINVAL;
}

void values_close_fds(struct poold_job *job)
{
	for (unsigned i = 0; i < job->n_fds; i++)
		if (!job->parts[i])
			job->fds[i] = fd_close(job->fds[i]);
}

/* The offset of a memfd belongs to all who got it: so it is opened once more. */
static int reopen(int fd)
{
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

/* What a command left stands for its stdout. */
static struct cursor stdout_of(struct cursor value)
{
	struct cursor c = value, element;
	const char *key;
	uint32_t n;
	size_t len;

	if (cursor_map(&c, &n))
		while (n-- > 0 && cursor_text(&c, &key, &len) && cursor_skip(&c, &element))
			if (text_equal(key, len, "stdout"))
				return element;
	return value;
}

int values_open_bytes(struct poold_job *job, struct cursor c)
{
	cleanup_fd int own = -1;
	struct cursor value;
	const void *bytes;
	int index, fd, r;
	size_t n;

	r = values_resolve(job, c, &value);
	if (r < 0)
		return r;
	r = find_bytes(job, stdout_of(value), &index, &bytes, &n);
	if (r < 0)
		return r;
	if (index >= 0) {
		fd = poold_job_fd(job, (unsigned)index);
		if (fd < 0)
			return fd;
		r = shm_check(fd, SIZE_MAX, &n);
	} else {
		fd = own = shm_from_bytes("poold-stdin", bytes, n);
		r = fd < 0 ? fd : 0;
	}
	if (r != 0)
		return r > 0 ? -EBADF : r;
	return reopen(fd);
}

/* ---- for modules --------------------------------------------------------------------------------
 */

poold_public int poold_job_input_bytes(poold_job *job, const void **ret, size_t *ret_len)
{
	return values_bytes(job, job->input, ret, ret_len);
}

poold_public int poold_job_bytes(
	poold_job *job, const void *encoded, size_t len, const void **ret, size_t *ret_len)
{
	return values_bytes(job, cursor_of(encoded, len), ret, ret_len);
}

poold_public int poold_job_value(poold_job *job, uint64_t id, const void **ret, size_t *ret_len)
{
	struct cursor value;
	int r;

	r = find_value(job, id, &value);
	if (r < 0)
		return r;
	*ret = value.p;
	*ret_len = cursor_len(&value);
	return 0;
}

poold_public size_t poold_job_values(const poold_job *job, uint64_t *ret_ids, size_t max_ids)
{
	for (size_t i = 0; i < job->n_values && i < max_ids; i++)
		ret_ids[i] = job->values[i].id;
	return job->n_values;
}

poold_public int poold_job_fd(const poold_job *job, unsigned int index)
{
	return index < job->n_fds && job->fds[index] >= 0 ? job->fds[index] : -ENOENT;
}

poold_public int poold_job_map(
	poold_job *job, unsigned int index, const void **ret, size_t *ret_len)
{
	int r;

	r = map_fd(job, index);
	if (r < 0)
		return r;
	*ret = job->maps[index].p;
	*ret_len = job->maps[index].len;
	return 0;
}

poold_public int poold_job_keep(
	poold_job *job, uint64_t id, void *kept, size_t bytes, void (*destroy)(void *kept))
{
	struct cached *e;

	if (!kept)
		return -EINVAL;
	if (!find(job, id))
		return -ENOENT;
	e = cache_find(&job->cache, id);
	if (!e)
		e = cache_add(&job->cache, id);
	if (!e)
		return -ENOMEM;
	cache_keep(&job->cache, e, kept, bytes, destroy);
	return 0;
}

poold_public void *poold_job_kept(poold_job *job, uint64_t id)
{
	struct cached *e = find(job, id) ? cache_find(&job->cache, id) : NULL;

	return e ? e->kept : NULL;
}
