/* Shared memory from birth: written by the caller, sealed at the first submit, never copied. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "client/client_internal.h"
#include "proto/shm.h"

struct poold_buffer {
	int fd;
	bool is_sealed;
	size_t size;
	void *data; /* NULL once sealed */
	size_t mapped;
};

poold_public int poold_buffer_new(poold_buffer **ret_buffer, size_t size)
{
	poold_buffer *b;
	int r;

	if (!ret_buffer || size > SSIZE_MAX)
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->size = b->mapped = size;
	b->fd = r = shm_new("poold-buffer", size);
	if (r >= 0)
		r = shm_map_write(b->fd, size, &b->data);
	if (r < 0) {
		poold_buffer_free(b);
		return r;
	}
	*ret_buffer = b;
	return 0;
}

poold_public poold_buffer *poold_buffer_free(poold_buffer *b)
{
	if (b) {
		shm_unmap(b->data, b->mapped);
		fd_close(b->fd);
		free(b);
	}
	return NULL;
}

poold_public void *poold_buffer_get_data(poold_buffer *b)
{
	return b ? b->data : NULL;
}

poold_public size_t poold_buffer_get_size(const poold_buffer *b)
{
	return b ? b->size : 0;
}

poold_public int poold_buffer_get_fd(const poold_buffer *b)
{
	return b ? b->fd : -EINVAL;
}

poold_public int poold_buffer_set_size(poold_buffer *b, size_t size)
{
	if (!b || size > b->size)
		return -EINVAL;
	if (b->is_sealed)
		return -EPERM;
	if (ftruncate(b->fd, (off_t)size) < 0)
		return -errno;
	b->size = size;
	return 0;
}

poold_public int poold_buffer_seal(poold_buffer *b)
{
	int r;

	if (!b)
		return -EINVAL;
	if (b->is_sealed)
		return 0;
	shm_unmap(b->data, b->mapped);
	b->data = NULL;
	r = shm_seal(b->fd);
	if (r == 0)
		b->is_sealed = true;
	return r;
}

int cl_buffer_dup(poold_buffer *b)
{
	int r = poold_buffer_seal(b);

	return r < 0 ? r : cl_dup(b->fd);
}
