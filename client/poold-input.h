/* libpoold, inputs: what a job gets, and shared memory to write it to. A part of poold.h, which
 * includes it. */
#include "poold.h"

#ifndef POOLD_INPUT_H
#define POOLD_INPUT_H

#ifdef __cplusplus
extern "C" {
#endif

/* What a job gets, or what poold_put() stores: made by one of the functions below, passed by value,
 * used up by the call. Its members are private. It only points to the caller's memory, which must
 * stay until that call has returned; then all is copied. */
typedef struct poold_input {
	uint32_t kind;
	int32_t fd;
	const void *data;
	size_t len;
	const int *fds;
	uint64_t number;
} poold_input;

/**
 * poold_input_nil() - no input
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_nil(void);

/**
 * poold_input_bytes() - a byte string
 * @bytes:  bytes
 * @len:    how many
 *
 * If their encoding, with its head of 3 bytes, is above 64 KiB the submit puts them into a sealed
 * memfd: one copy, of which all others are views. Such a text or iovec goes the same way.
 *
 * Blocks:   no.
 * Owner:    @bytes is borrowed until the submit returned.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_bytes(const void *bytes, size_t len);

/**
 * poold_input_text() - a text
 * @text:  text
 *
 * Blocks:   no.
 * Owner:    @text is borrowed until the submit returned.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_text(const char *text);

/**
 * poold_input_iov() - a byte string in pieces
 * @iov:    pieces
 * @n_iov:  how many
 *
 * Blocks:   no.
 * Owner:    @iov and its bytes are borrowed until the submit returned.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_iov(const struct iovec *iov, size_t n_iov);

/**
 * poold_input_encoded() - any MessagePack value
 * @encoded:  its encoding
 * @len:      in bytes; with all of the message below 1 MiB
 *
 * Blocks:   no.
 * Owner:    @encoded is borrowed until the submit returned.
 * Returns:  the input. The submit answers -EBADMSG if the encoding is not one value of at most 16
 *           levels.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_encoded(const void *encoded, size_t len);

/**
 * poold_input_encoded_fds() - any MessagePack value with large byte strings beside it
 * @encoded:  its encoding; ext type 1 with the index of an fd stands for the bytes of that fd
 * @len:      in bytes
 * @fds:      sealed memfds; in the map of a command also pipes, terminals and files as its stdio
 * @n_fds:    how many, at most 4; the encoding names 0 … n-1, each at least once
 *
 * Blocks:   no.
 * Owner:    @encoded and @fds are borrowed until the submit returned; fds are duplicated.
 * Returns:  the input. The submit answers -EBADMSG as above, also if fds and indexes differ.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_encoded_fds(
	const void *encoded, size_t len, const int *fds, unsigned n_fds);

/**
 * poold_input_file() - the content of a file as a byte string
 * @fd:  file, pipe, …, read from its current offset to its end
 *
 * The submit copies it once, in the kernel where that works, into a sealed memfd. A file that is
 * one, and stands at its beginning, is not copied: so the fd of a result can be an input.
 *
 * Blocks:   no, but the submit does while it reads.
 * Owner:    @fd is borrowed until the submit returned.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_file(int fd);

/**
 * poold_input_buffer() - a byte string that is shared memory already
 * @buffer:  buffer; the submit seals it (poold_buffer_seal())
 *
 * Nothing is copied. A buffer can be the input of any number of jobs.
 *
 * Blocks:   no.
 * Owner:    @buffer is borrowed until the submit returned.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_buffer(poold_buffer *buffer);

/**
 * poold_input_future() - the value of another future
 * @id:  its ID: an object (poold_put()), or a job, whose end the new one waits for
 *
 * The value goes from the daemon to the worker; it does not come here. If that future ends
 * otherwise than done, the job is aborted. It may be released at once: its value stays until the
 * last job that uses it is through. An input that names several, or one among other things, is
 * encoded by the caller (poold_input_encoded()): ext type 2, its payload the ID in 8 bytes, big
 * endian.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_future(uint64_t id);

/**
 * poold_input_command() - a command for a function of handler exec
 * @command:  command; can be submitted any number of times
 *
 * Blocks:   no.
 * Owner:    @command is borrowed until the submit returned.
 * Returns:  the input.
 * Errors:   none.
 * Since:    0.1
 */
poold_input poold_input_command(const poold_command *command);

/* ---- buffers: shared memory from birth ---- */

/**
 * poold_buffer_new() - memory that becomes an input without being copied
 * @ret_buffer:  the buffer
 * @size:        in bytes
 *
 * Zeros at first. Pages are taken when they are written, so a generous size costs nothing if
 * poold_buffer_set_size() cuts it; what is not cut counts against the user's quota, written or not.
 *
 * Blocks:   no.
 * Owner:    the caller gets it.
 * Returns:  0.
 * Errors:   -EFBIG over RLIMIT_FSIZE; -EMFILE and others of making a memfd and mapping it.
 * Since:    0.1
 */
int poold_buffer_new(poold_buffer **ret_buffer, size_t size);

/**
 * poold_buffer_free() - end of a buffer
 * @b:  buffer or NULL
 *
 * Blocks:   no.
 * Owner:    the memory goes away here; jobs that have it as input keep it.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_buffer *poold_buffer_free(poold_buffer *b);

/**
 * poold_buffer_get_data() - its memory
 * @b:  buffer
 *
 * Blocks:   no.
 * Owner:    borrowed, until poold_buffer_seal(), the first submit, or poold_buffer_free().
 * Returns:  where to write; NULL once it is sealed.
 * Errors:   none.
 * Since:    0.1
 */
void *poold_buffer_get_data(poold_buffer *b);

/**
 * poold_buffer_get_size() - its size
 * @b:  buffer
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  bytes.
 * Errors:   none.
 * Since:    0.1
 */
size_t poold_buffer_get_size(const poold_buffer *b);

/**
 * poold_buffer_set_size() - cut it to what was written
 * @b:     buffer
 * @size:  at most what it has
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EPERM it is sealed; -EINVAL larger than it is.
 * Since:    0.1
 */
int poold_buffer_set_size(poold_buffer *b, size_t size);

/**
 * poold_buffer_seal() - nobody can change it any more
 * @b:  buffer
 *
 * A submit does this by itself.
 *
 * Blocks:   no.
 * Owner:    the memory of poold_buffer_get_data() is gone.
 * Returns:  0, also if it was sealed.
 * Errors:   -EBUSY it is mapped for writing somewhere else.
 * Since:    0.1
 */
int poold_buffer_seal(poold_buffer *b);

/**
 * poold_buffer_get_fd() - its memfd
 * @b:  buffer
 *
 * Blocks:   no.
 * Owner:    borrowed.
 * Returns:  the fd.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_buffer_get_fd(const poold_buffer *b);

#ifdef __cplusplus
}
#endif

#endif
