/* A value is kept as it came, in one piece of memory, and decoded when somebody asks. Large byte
 * strings are beside it as fds; they are checked and mapped at the first look. */
#include "client/value.h"

#include <errno.h>
#include <string.h>

#include "client/client_internal.h"
#include "proto/shm.h"

static void free_parts(struct cl_parts *parts)
{
	if (!parts)
		return;
	for (unsigned i = 0; i < parts->n; i++) {
		if (parts->part[i].map)
			shm_unmap(parts->part[i].map, parts->part[i].len);
		fd_close(parts->part[i].fd);
	}
	free(parts);
}

void cl_value_drop(struct cl_value *v)
{
	if (v->bytes != v->small)
		free(v->bytes);
	free_parts(take_ptr(v->parts));
}

/* The first value made from a message takes its fds, further ones get duplicates. */
static int take_fds(struct cl_parts *parts, struct cl_message *m)
{
	for (unsigned i = 0; i < m->n_fds; i++) {
		int fd = m->are_fds_taken ? cl_dup(m->fds[i]) : m->fds[i];

		if (fd < 0)
			return fd;
		parts->part[parts->n++].fd = fd;
	}
	m->are_fds_taken = true;
	return 0;
}

/* Room for len bytes in a value that is empty, and the fds of its message. */
static int reserve(struct cl_value *v, size_t len, struct cl_message *m)
{
	if (m->n_fds > 0) {
		struct cl_parts *parts;
		int r;

		parts = calloc(1, sizeof(*parts) + m->n_fds * sizeof(parts->part[0]));
		if (!parts)
			return -ENOMEM;
		r = take_fds(parts, m);
		if (r < 0) {
			free_parts(parts);
			return r;
		}
		v->parts = parts;
	}
	v->bytes = len <= sizeof(v->small) ? v->small : malloc(len);
	if (!v->bytes) {
		cl_value_deinit(v);
		return -ENOMEM;
	}
	v->len = (uint32_t)len;
	return 0;
}

int cl_value_take_result(struct cl_value *v, struct cl_message *m, const struct cursor *encoded)
{
	int r = reserve(v, cursor_len(encoded), m);

	if (r == 0)
		memcpy(v->bytes, encoded->p, v->len);
	return r;
}

int cl_value_take_error(struct cl_value *v, struct cl_message *m, const struct cursor *error)
{
	struct cursor c = *error, details = {};
	const char *code, *message;
	size_t code_len, message_len;
	uint32_t n;
	int r;

	if (!cursor_array(&c, &n) || n < 2 || n > 3 || !cursor_text(&c, &code, &code_len) ||
		!cursor_text(&c, &message, &message_len))
		return -EPROTO;
	if (n == 3 && !cursor_skip(&c, &details))
		return -EPROTO;
	r = reserve(v, code_len + 1 + message_len + 1 + cursor_len(&details), m);
	if (r < 0)
		return r;
	v->message_at = (uint32_t)code_len + 1;
	v->details_at = v->message_at + (uint32_t)message_len + 1;
	memcpy(v->bytes, code, code_len);
	v->bytes[code_len] = '\0';
	memcpy(v->bytes + v->message_at, message, message_len);
	v->bytes[v->details_at - 1] = '\0';
	if (cursor_len(&details) > 0)
		memcpy(v->bytes + v->details_at, details.p, cursor_len(&details));
	return 0;
}

void cl_value_set_disconnected(struct cl_value *v)
{
	static const char text[] = "disconnected\0connection lost";

	_Static_assert(sizeof(text) <= CL_SMALL_BYTES, "it needs no memory, so it cannot fail");
	memcpy(v->small, text, sizeof(text));
	v->bytes = v->small;
	v->len = sizeof(text);
	v->message_at = (uint32_t)strlen(text) + 1;
	v->details_at = sizeof(text);
}

const char *cl_value_code(const struct cl_value *v)
{
	return cl_value_is_error(v) ? (const char *)v->bytes : "";
}

const char *cl_value_message(const struct cl_value *v)
{
	return cl_value_is_error(v) ? (const char *)v->bytes + v->message_at : "";
}

struct cursor cl_value_encoded(const struct cl_value *v)
{
	if (!v->bytes)
		return (struct cursor){};
	return cursor_of(v->bytes + v->details_at, v->len - v->details_at);
}

/* *ret: checked, so that a view of it cannot change or shrink. */
static int get_checked(struct cl_value *v, unsigned index, struct cl_part **ret)
{
	struct cl_part *part;
	int r;

	if (!v->parts || index >= v->parts->n)
		return -ENODATA;
	part = &v->parts->part[index];
	if (!part->is_checked) {
		r = shm_check(part->fd, SIZE_MAX, &part->len);
		if (r != 0)
			return r < 0 ? r : -EPROTO;
		part->is_checked = true;
	}
	*ret = part;
	return 0;
}

int cl_value_get_fd(struct cl_value *v, unsigned index, size_t *ret_len)
{
	struct cl_part *part;
	int r = get_checked(v, index, &part);

	if (r < 0)
		return r;
	if (ret_len)
		*ret_len = part->len;
	return part->fd;
}

int cl_value_get_part(struct cl_value *v, unsigned index, const void **ret, size_t *ret_len)
{
	struct cl_part *part;
	int r = get_checked(v, index, &part);

	if (r == 0 && !part->map)
		r = shm_map(part->fd, part->len, &part->map);
	if (r < 0)
		return r;
	*ret = part->map;
	*ret_len = part->len;
	return 0;
}

int cl_value_get_bytes(
	struct cl_value *v, const struct cursor *at, const void **ret, size_t *ret_len)
{
	struct cursor c = *at;
	const uint8_t *index;

	if (cursor_bytes(&c, ret, ret_len))
		return 0;
	index = cursor_fd_index(&c);
	return index ? cl_value_get_part(v, *index, ret, ret_len) : -ENOMSG;
}
