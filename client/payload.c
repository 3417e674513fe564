/* From what the caller has to what goes over the wire. Up to 64 KiB a byte string travels inside
 * the message; above that its bytes are copied once, into a sealed memfd, and only the memfd
 * travels. A poold_buffer is such a memfd already. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "client/client_internal.h"
#include "proto/shm.h"

/* Name of a memfd in /proc. */
#define MEMFD_NAME "poold-input"

enum kind {
	KIND_NIL,
	KIND_BYTES,
	KIND_TEXT,
	KIND_IOV,
	KIND_ENCODED,
	KIND_FILE,
	KIND_BUFFER,
	KIND_FUTURE,
	KIND_COMMAND,
	KIND_VALUES,
};

static poold_input input_of(enum kind kind)
{
	return (poold_input){.kind = kind, .fd = -1};
}

poold_public poold_input poold_input_nil(void)
{
	return input_of(KIND_NIL);
}

poold_public poold_input poold_input_bytes(const void *bytes, size_t len)
{
	return (poold_input){.kind = KIND_BYTES, .fd = -1, .data = bytes, .len = len};
}

poold_public poold_input poold_input_text(const char *text)
{
	poold_input i = input_of(KIND_TEXT);

	i.data = text;
	i.len = text ? strlen(text) : 0;
	return i;
}

poold_public poold_input poold_input_iov(const struct iovec *iov, size_t n_iov)
{
	poold_input i = input_of(KIND_IOV);

	i.data = iov;
	i.len = n_iov;
	return i;
}

poold_public poold_input poold_input_encoded(const void *encoded, size_t len)
{
	return poold_input_encoded_fds(encoded, len, NULL, 0);
}

poold_public poold_input poold_input_encoded_fds(
	const void *encoded, size_t len, const int *fds, unsigned n_fds)
{
	return (poold_input){.kind = KIND_ENCODED,
		.fd = -1,
		.data = encoded,
		.len = len,
		.fds = fds,
		.number = n_fds};
}

poold_public poold_input poold_input_file(int fd)
{
	poold_input i = input_of(KIND_FILE);

	i.fd = fd;
	return i;
}

poold_public poold_input poold_input_buffer(poold_buffer *buffer)
{
	poold_input i = input_of(KIND_BUFFER);

	i.data = buffer;
	return i;
}

poold_public poold_input poold_input_future(uint64_t id)
{
	poold_input i = input_of(KIND_FUTURE);

	i.number = id;
	return i;
}

poold_public poold_input poold_input_command(const poold_command *command)
{
	poold_input i = input_of(KIND_COMMAND);

	i.data = command;
	return i;
}

poold_input cl_input_values(const struct buf *values, uint32_t n, const int *fds, unsigned n_fds)
{
	poold_input i = input_of(KIND_VALUES);

	i.data = buf_head(values);
	i.len = buf_used(values);
	i.number = n;
	i.fds = fds;
	i.fd = (int)n_fds;
	return i;
}

/* -EINVAL for pieces without memory, or more bytes than there can be. */
static int iov_length(const poold_input *input, size_t *ret_len)
{
	const struct iovec *iov = input->data;
	size_t len = 0;

	for (size_t i = 0; i < input->len; i++) {
		if (!iov || (!iov[i].iov_base && iov[i].iov_len > 0) ||
			iov[i].iov_len > SSIZE_MAX - len)
			return -EINVAL;
		len += iov[i].iov_len;
	}
	*ret_len = len;
	return 0;
}

/* Is it a byte string that goes as an fd? Its length, or -EINVAL, in *ret_len. */
static int check_bytes(const poold_input *input, size_t *ret_len)
{
	switch (input->kind) {
	case KIND_BYTES:
	case KIND_TEXT:
		if (!input->data && (input->len > 0 || input->kind == KIND_TEXT))
			return -EINVAL;
		*ret_len = input->len;
		break;
	case KIND_IOV: {
		int r = iov_length(input, ret_len);

		if (r < 0)
			return r;
		break;
	}
	default: return 1;
	}
	return *ret_len > PROTO_INLINE_BIN_BYTES;
}

/* A new sealed memfd of a byte string that is large, a file, or a buffer. */
static int make_fd(const poold_input *input, size_t len)
{
	switch (input->kind) {
	case KIND_IOV: return shm_from_iov(MEMFD_NAME, input->data, input->len);
	case KIND_FILE: return shm_from_file(MEMFD_NAME, input->fd, SSIZE_MAX, &len);
	case KIND_BUFFER: return cl_buffer_dup((poold_buffer *)input->data);
	default: return shm_from_bytes(MEMFD_NAME, input->data, len);
	}
}

static void pack_bytes(struct bufpack *p, const poold_input *input, size_t len)
{
	const struct iovec *iov = input->data;

	if (input->kind == KIND_TEXT) {
		bufpack_text_n(p, input->data, len);
		return;
	}
	if (input->kind == KIND_BYTES) {
		bufpack_bin(p, input->data, len);
		return;
	}
	bufpack_bin_head(p, len);
	for (size_t i = 0; i < input->len; i++)
		bufpack_raw(p, iov[i].iov_base, iov[i].iov_len);
}

static int pack_as_fd(struct cl_draft *d, const poold_input *input, size_t len)
{
	int r = cl_draft_check_fd(d), fd;

	if (r < 0)
		return r;
	fd = make_fd(input, len);
	if (fd < 0)
		return cl_fail(d->p, fd, "no shared memory for an input: %s", strerrordesc_np(-fd));
	r = cl_draft_add_fd(d, fd);
	if (r < 0)
		fd_close(fd);
	return r;
}

static int take_duplicate(struct cl_draft *d, int fd)
{
	int copy = cl_dup(fd), r;

	if (copy < 0)
		return copy;
	r = cl_draft_take_fd(d, copy);
	if (r < 0)
		fd_close(copy);
	return r;
}

int cl_payload_pack_encoded(struct cl_draft *d, const void *encoded, size_t len, unsigned max_depth,
	const int *fds, unsigned n_fds)
{
	struct scan scan;
	int r = 0;

	if (!encoded || (!fds && n_fds > 0) || (n_fds > 0 && d->n_fds > 0))
		return -EINVAL;
	if (n_fds > PROTO_MESSAGE_FDS)
		return -E2BIG;
	if (len > d->p->max_message)
		return -EMSGSIZE;
	if (scan_value(encoded, len, max_depth, &scan) != 0 || scan.has_value_ext ||
		scan.fd_mask != (1ull << n_fds) - 1)
		return -EBADMSG;
	bufpack_raw(&d->pk, encoded, len);
	for (unsigned i = 0; i < n_fds && r == 0; i++)
		r = take_duplicate(d, fds[i]);
	return r;
}

static int pack_future(struct bufpack *p, uint64_t id)
{
	uint8_t bytes[8];

	if (id == 0 || id >= PROTO_ID_END)
		return -EINVAL;
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(id >> (56 - 8 * i));
	bufpack_ext(p, PROTO_EXT_FUTURE, bytes, sizeof(bytes));
	return 0;
}

/* Encoded here: one by itself, several as an array. */
static int pack_values(struct cl_draft *d, const poold_input *input)
{
	int r = 0;

	if (input->number > 1)
		bufpack_array(&d->pk, input->number);
	bufpack_raw(&d->pk, input->data, input->len);
	for (const int *fd = input->fds; r == 0 && fd < input->fds + input->fd; fd++)
		r = take_duplicate(d, *fd);
	return r;
}

int cl_payload_pack(struct cl_draft *d, const poold_input *input, unsigned max_depth)
{
	size_t len = 0;
	int r;

	switch ((enum kind)input->kind) {
	case KIND_NIL: bufpack_nil(&d->pk); return 0;
	case KIND_BYTES:
	case KIND_TEXT:
	case KIND_IOV:
	case KIND_FILE:
	case KIND_BUFFER:
		r = check_bytes(input, &len);
		if (r == 0)
			pack_bytes(&d->pk, input, len);
		return r > 0 ? pack_as_fd(d, input, len) : r;
	case KIND_ENCODED:
		return cl_payload_pack_encoded(
			d, input->data, input->len, max_depth, input->fds, (unsigned)input->number);
	case KIND_FUTURE: return pack_future(&d->pk, input->number);
	case KIND_VALUES: return pack_values(d, input);
	case KIND_COMMAND: return input->data ? cl_command_pack(d, input->data) : -EINVAL;
	}
	return -EINVAL;
}

int cl_payload_store(const poold_input *input, struct buf *bytes, int *ret_fd)
{
	struct bufpack p;
	size_t len = 0;
	int r;

	bufpack_init(&p, bytes);
	switch ((enum kind)input->kind) {
	case KIND_NIL: bufpack_nil(&p); return bufpack_error(&p);
	case KIND_FUTURE: r = pack_future(&p, input->number); return r < 0 ? r : bufpack_error(&p);
	case KIND_ENCODED:
	case KIND_VALUES:
	case KIND_COMMAND: return -EINVAL;
	default: break;
	}
	r = check_bytes(input, &len);
	if (r < 0)
		return r;
	if (r == 0) {
		pack_bytes(&p, input, len);
		return bufpack_error(&p);
	}
	r = make_fd(input, len);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 1;
}
