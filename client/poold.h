/* libpoold: the C library of poold, the compute pool of one host.
 *
 * THE IDEA
 *
 * A program connects to the daemon (a poold handle) and submits jobs: a function of a pool, such as
 * "digest/sha256", and one input. Each submit gives a future. Once the daemon has acknowledged it,
 * the future has an ID, by which this process and every other one that is permitted can find it
 * again, also after the connection or the process is gone. A future reaches exactly one final
 * state, and then it has either a result or an error, and its timing.
 *
 * WAYS TO WAIT
 *
 * The library has no threads and never blocks behind your back. Bytes move only when the pump runs:
 *
 * 1. Your own event loop: watch poold_get_fd() for poold_get_events() until poold_get_timeout(),
 *    then call poold_process(); ask for all three again before each wait. Callbacks run from there.
 * 2. Blocking: poold_future_wait(), poold_set_next(), poold_request() and what says "Blocks: yes"
 *    below. They run that same pump, so callbacks of other futures may run meanwhile.
 * 3. By ID, from anywhere: poold_future_open() makes a future of an ID.
 *
 * A submit is only written into a buffer, so that many leave in one piece. It goes out when the
 * pump runs next, by a blocking call, by poold_flush(), or when enough has gathered.
 *
 * ERRORS
 *
 * A function returns 0 or more, or -errno. What it may return is listed under "Errors"; besides,
 * every function that takes a handle or an object of one can return -EINVAL (an argument that makes
 * no sense), -ENOMEM and -ECHILD (see below). poold_get_error_text() has a sentence about the
 * handle's last failure. What went wrong with a job is no return value but data of its future:
 * poold_future_get_error(). Out-parameters (ret_…) are not touched on failure.
 *
 * OWNERSHIP
 *
 * Objects are counted: …_new(), poold_submit() and so on give one reference, …_ref() another,
 * …_unref() drops one; it takes NULL and returns NULL. The handle keeps a reference of its own to
 * every future that is not settled, so a callback runs even if you dropped yours. Objects outlive
 * their handle: what a future holds can still be read, the rest answers -ENOTCONN. Views (results,
 * texts) live as long as the object that gave them.
 *
 * THREADS, FORK, SIGNALS
 *
 * A handle and everything made from it belongs to one thread at a time; different handles are
 * independent. There is no global state. In a child after fork() a handle is dead: its functions
 * return -ECHILD, and only the unref functions do something (they free the child's memory and leave
 * the connection alone). The library installs no signal handler, raises no SIGPIPE, prints nothing,
 * and never ends the process. A blocking call is not interrupted by signals.
 *
 * Times are microseconds. A timeout is relative: 0 looks once without waiting, POOLD_FOREVER waits.
 */
#ifndef POOLD_H
#define POOLD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOLD_FOREVER UINT64_MAX

typedef struct poold poold;
typedef struct poold_future poold_future;
typedef struct poold_set poold_set;
typedef struct poold_buffer poold_buffer;
typedef struct poold_command poold_command;
typedef struct poold_reply poold_reply;

/* Where a future stands. */
typedef enum poold_state {
	POOLD_SENT = 0,	    /* submitted, not acknowledged yet */
	POOLD_ACCEPTED = 1, /* has an ID, is not final; poold_poll() tells which of the next five */
	POOLD_DELAYED = 2,
	POOLD_BLOCKED = 3, /* waits for other futures */
	POOLD_QUEUED = 4,
	POOLD_RUNNING = 5,
	POOLD_CANCELLING = 6,
	/* From here on settled: nothing more comes by itself. First the daemon's final states. */
	POOLD_DONE = 16,
	POOLD_FAILED = 17, /* the function reported an error, the command did not exit with 0 */
	POOLD_CANCELLED = 18,
	POOLD_TIMEOUT = 19,
	POOLD_LOST = 20,    /* its worker died */
	POOLD_ABORTED = 21, /* an input failed, its pool was removed, the daemon stopped */
	POOLD_REFUSED = 22, /* the daemon took no such job (quota, unknown_function, …) or knows no
			     * such future (unknown_future, expired) */
	POOLD_DISCONNECTED = 23 /* the connection ended first; if there is an ID the job goes on,
				 * and poold_reconnect() makes this future POOLD_ACCEPTED again */
} poold_state;

/* Called from the pump when the future is settled, never from within poold_submit(). It may drop
 * the last reference to the future or to the handle, submit, and so on; calls that block return
 * -EDEADLK. A negative return value ends that round of the pump, which returns it. */
typedef int (*poold_callback)(poold_future *future, void *userdata);
/* The same for the answer to a request. */
typedef int (*poold_reply_callback)(poold_reply *reply, void *userdata);

/* ---- the handle ---- */

/**
 * poold_open() - connect to the daemon
 * @ret_handle:  the handle
 * @path:        socket; NULL: $POOLD_SOCKET, else $XDG_RUNTIME_DIR/poold/poold.sock if it exists,
 *               else /run/poold/poold.sock
 *
 * Short for poold_new(), poold_set_socket() and poold_connect(); use these to learn more of a
 * failure.
 *
 * Blocks:   as poold_connect().
 * Owner:    the caller gets a reference.
 * Returns:  0.
 * Errors:   as poold_connect().
 * Since:    0.1
 */
int poold_open(poold **ret_handle, const char *path);

/**
 * poold_new() - a handle that is not connected yet
 * @ret_handle:  the handle
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference.
 * Returns:  0.
 * Errors:   -ENOMEM.
 * Since:    0.1
 */
int poold_new(poold **ret_handle);

/**
 * poold_set_socket() - which socket to connect to
 * @p:     handle
 * @path:  socket; NULL looks it up as poold_open() does
 *
 * Blocks:   no.
 * Owner:    @path is copied.
 * Returns:  0.
 * Errors:   -EISCONN connected now; -ENAMETOOLONG.
 * Since:    0.1
 */
int poold_set_socket(poold *p, const char *path);

/**
 * poold_set_server_uid() - accept a daemon of this user too
 * @p:    handle
 * @uid:  whose daemon may answer, beside root's and one's own
 *
 * $POOLD_SERVER_UID (a number) does the same from outside.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EISCONN connected now.
 * Since:    0.1
 */
int poold_set_server_uid(poold *p, uid_t uid);

/**
 * poold_set_client_name() - the name that hello tells the daemon
 * @p:     handle
 * @name:  up to 64 bytes; "libpoold" if not set
 *
 * Blocks:   no.
 * Owner:    @name is copied.
 * Returns:  0.
 * Errors:   -EISCONN connected now.
 * Since:    0.1
 */
int poold_set_client_name(poold *p, const char *name);

/**
 * poold_set_out_max() - how much may wait to be sent
 * @p:      handle
 * @bytes:  from so many on nothing more is taken; 8 MiB if not set, at least 64 KiB
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_set_out_max(poold *p, size_t bytes);

/**
 * poold_connect() - connect a new handle
 * @p:  handle
 *
 * The server must be root's, one's own, or that of poold_set_server_uid(). "hello" is sent along
 * without waiting for its answer (poold_hello() does).
 *
 * Blocks:   only while the daemon's backlog is full, at most 10 s.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EISCONN connected already; -ENOENT, -ECONNREFUSED no daemon there; -EACCES no
 *           permission; -EPERM a daemon of a user who is not trusted; -EAGAIN backlog full;
 *           -ENAMETOOLONG the path is too long for a socket; -EDEADLK called from a callback;
 *           -EMFILE and others of socket(2) and connect(2).
 * Since:    0.1
 */
int poold_connect(poold *p);

/**
 * poold_reconnect() - connect again after the connection was lost
 * @p:  handle
 *
 * Never happens by itself. Every future that is POOLD_DISCONNECTED and has an ID becomes
 * POOLD_ACCEPTED again: the daemon is asked to deliver it, and its callback runs once more when it
 * is settled. Futures without an ID stay as they are: whether the daemon took their jobs is not
 * known.
 *
 * Blocks:   as poold_connect().
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   as poold_connect(), after which the connection is lost as before; -EISCONN it is not
 *           lost.
 * Since:    0.1
 */
int poold_reconnect(poold *p);

/**
 * poold_ref() - one reference more
 * @p:  handle
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference.
 * Returns:  @p.
 * Errors:   none.
 * Since:    0.1
 */
poold *poold_ref(poold *p);

/**
 * poold_unref() - one reference less; the last one closes the connection
 * @p:  handle or NULL
 *
 * Jobs go on. Futures that are not settled become POOLD_DISCONNECTED; no callback runs any more.
 * What could not be sent at once is lost: poold_flush() before, if that matters.
 *
 * Blocks:   no.
 * Owner:    the caller's reference is gone.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold *poold_unref(poold *p);

/**
 * poold_get_socket() - the socket that the handle used
 * @p:  handle
 *
 * Blocks:   no.
 * Owner:    borrowed, until poold_set_socket() or the last unref.
 * Returns:  its path, also after poold_connect() failed; NULL before.
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_get_socket(const poold *p);

/**
 * poold_get_socket_origin() - why that socket
 * @p:  handle
 *
 * Blocks:   no.
 * Owner:    a constant.
 * Returns:  "given", "$POOLD_SOCKET", "$XDG_RUNTIME_DIR", "default"; NULL before poold_connect().
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_get_socket_origin(const poold *p);

/**
 * poold_get_server_uid() - whose daemon it is, as the kernel tells
 * @p:        handle
 * @ret_uid:  uid of the process that listens
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -ENOTCONN.
 * Since:    0.1
 */
int poold_get_server_uid(const poold *p, uid_t *ret_uid);

/**
 * poold_get_error_text() - a sentence about the last failure
 * @p:  handle
 *
 * Blocks:   no.
 * Owner:    borrowed, until the next call with this handle.
 * Returns:  text, "" if nothing failed yet.
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_get_error_text(const poold *p);

/**
 * poold_get_error_code() - the word of the last refusal
 * @p:  handle
 *
 * Set when a call returned -EREMOTEIO or -ENOENT because the daemon answered with an error.
 *
 * Blocks:   no.
 * Owner:    borrowed, until the next call with this handle.
 * Returns:  "not_allowed", "unknown_future", …; "" if there was none.
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_get_error_code(const poold *p);

/**
 * poold_strerror() - a sentence for what a function returned
 * @r:  a negative return value
 *
 * Blocks:   no.
 * Owner:    a constant.
 * Returns:  text, never NULL.
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_strerror(int r);

/**
 * poold_code_is_temporary() - may the same work later?
 * @code:  error code of a reply or future
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  1 for "full", "quota" and "draining", else 0.
 * Errors:   none.
 * Since:    0.1
 */
int poold_code_is_temporary(const char *code);

/**
 * poold_state_name() - the word of a state
 * @state:  state
 *
 * Blocks:   no.
 * Owner:    a constant.
 * Returns:  "queued", "done", …, as on the wire; "sent", "accepted", "refused", "disconnected".
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_state_name(poold_state state);

/**
 * poold_version() - version of the library in use
 *
 * Blocks:   no.
 * Owner:    a constant.
 * Returns:  "0.1.0".
 * Errors:   none.
 * Since:    0.1
 */
const char *poold_version(void);

/* ---- the pump ---- */

/**
 * poold_get_fd() - what to poll
 * @p:  handle
 *
 * It changes with poold_reconnect() only.
 *
 * Blocks:   no.
 * Owner:    borrowed: poll it, nothing else.
 * Returns:  the fd.
 * Errors:   -ENOTCONN.
 * Since:    0.1
 */
int poold_get_fd(const poold *p);

/**
 * poold_get_events() - for what to poll
 * @p:  handle
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  POLLIN, with POLLOUT if something waits to be sent.
 * Errors:   -ENOTCONN.
 * Since:    0.1
 */
int poold_get_events(const poold *p);

/**
 * poold_get_timeout() - until when to poll
 * @p:          handle
 * @ret_at_us:  absolute time of CLOCK_MONOTONIC; 0: at once; UINT64_MAX: no limit. Round up when
 *              you convert it to milliseconds.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -ENOTCONN.
 * Since:    0.1
 */
int poold_get_timeout(const poold *p, uint64_t *ret_at_us);

/**
 * poold_process() - send and receive what can be, run callbacks
 * @p:  handle
 *
 * Does a bounded amount of work. When the connection ends, all futures that wait for it become
 * POOLD_DISCONNECTED, their callbacks run, and then this returns the error.
 *
 * Blocks:   no, but for what callbacks do.
 * Owner:    nothing changes hands; callbacks may drop the last reference to the handle.
 * Returns:  1 it did something, call again; 0 nothing to do, wait.
 * Errors:   -ENOTCONN the daemon closed the connection; -EPROTO it broke the protocol, or says
 *           that we did; -EDEADLK called from a callback; what a callback returned.
 * Since:    0.1
 */
int poold_process(poold *p);

/**
 * poold_wait() - wait until poold_process() has something to do
 * @p:           handle
 * @timeout_us:  longest wait
 *
 * Blocks:   yes, up to @timeout_us. Runs nothing.
 * Owner:    nothing changes hands.
 * Returns:  1 there is, 0 time is over.
 * Errors:   -ENOTCONN; -EDEADLK.
 * Since:    0.1
 */
int poold_wait(poold *p, uint64_t timeout_us);

/**
 * poold_flush() - wait until all that was submitted has been sent
 * @p:           handle
 * @timeout_us:  longest wait; 0 sends what can be sent at once
 *
 * Blocks:   yes, up to @timeout_us; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  1 all is sent, 0 time is over.
 * Errors:   as poold_process().
 * Since:    0.1
 */
int poold_flush(poold *p, uint64_t timeout_us);

/* ---- inputs ---- */

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
 * The submit copies it once, in the kernel where that works, into a sealed memfd. A file that is one,
 * and stands at its beginning, is not copied: so the fd of a result can be an input.
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
 * The value goes from the daemon to the worker; it does not come here. If that future ends otherwise
 * than done, the job is aborted. It may be released at once: its value stays until the last job that
 * uses it is through. An input that names several, or one among other things, is encoded by the
 * caller (poold_input_encoded()): ext type 2, its payload the ID in 8 bytes, big endian.
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

/* ---- submit ---- */

/* The ends of a run after which retries permits another one: bits of retry_on. */
typedef enum poold_retry_on {
	POOLD_RETRY_ON_LOST = 1 << 0,
	POOLD_RETRY_ON_FAILED = 1 << 1,
	POOLD_RETRY_ON_TIMEOUT = 1 << 2 /* the timeout of a run; no other clock */
} poold_retry_on;

/* Start with POOLD_OPTIONS_INIT; 0 and NULL mean "not given". Text is UTF-8. */
typedef struct poold_options {
	size_t size;	       /* of this struct, as the caller knows it */
	uint64_t timeout_us;   /* longest run */
	uint64_t grace_us;     /* from SIGTERM to SIGKILL */
	uint64_t ttl_us;       /* how long the daemon keeps it after its end; default one hour */
	const char *group;     /* up to 128 bytes */
	const char *label;     /* up to 256 bytes */
	const char *trace;     /* W3C traceparent */
	int32_t priority;      /* higher first */
	uint8_t attached;      /* 1: cancelled when the connection closes */
	uint8_t auto_release;  /* 1: the daemon forgets it once its end has arrived here */
	const char *key;       /* up to 128 bytes: submitted again with the same content, it is the
				 same future; not for poold_submit_many() */
	const uint64_t *after; /* it runs only when these futures are done; if one ends otherwise it
				  is POOLD_ABORTED */
	size_t n_after;
	const uint64_t *after_any; /* it runs only when these futures are final */
	size_t n_after_any;
	uint64_t start_within_us; /* longest time in the queue */
	uint64_t deadline_us;	  /* longest time all in all, from the submit */
	uint64_t delay_us;	  /* before it enters the queue */
	uint64_t backoff_us;	  /* before the next run; doubles with each */
	uint32_t retries;	  /* further runs, at most 1000 */
	uint8_t retry_on;	  /* poold_retry_on bits; 0: POOLD_RETRY_ON_LOST */
	uint8_t each; /* 1: the input is an array: the function of a module is run for each
				     element, and the result is the array of results; poold-map.h */
	uint64_t admit_within_us; /* how long it may wait for room, in place of a refusal for a
				     quota or a full daemon; it has no ID meanwhile */
} poold_options;

#define POOLD_OPTIONS_INIT                                                                         \
	{                                                                                          \
		sizeof(poold_options), 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, 0, NULL, 0, \
			0, 0, 0, 0, 0, 0, 0, 0                                                     \
	}

/**
 * poold_submit() - hand in a job
 * @p:           handle
 * @function:    "pool/function", or a function of pool default
 * @input:       what it works on
 * @options:     options or NULL
 * @ret_future:  its future, POOLD_SENT
 *
 * Nothing is refused here that only the daemon can know: a job that it does not take makes the
 * future POOLD_REFUSED. Set a callback right afterwards, it cannot have been missed.
 *
 * Blocks:   no (but see poold_input_file()). The bytes go out with the next round of the pump.
 * Owner:    the caller gets a reference to the future; @input, @options are borrowed.
 * Returns:  0.
 * Errors:   -EAGAIN too much waits to be sent: run the pump (poold_flush()) and try again;
 *           -ENOTCONN, -EPROTO connection lost; -EBADMSG the encoded input is none; -EMSGSIZE
 *           larger than a message may be; -E2BIG more than 4 fds; -EFBIG over RLIMIT_FSIZE, which
 *           holds for memfds, too; -EBUSY a buffer is mapped for writing somewhere else; -EMFILE
 *           and others of making a memfd.
 * Since:    0.1
 */
int poold_submit(poold *p, const char *function, poold_input input, const poold_options *options,
	poold_future **ret_future);

/**
 * poold_submit_many() - hand in a job for each of several inputs, all or none
 * @p:            handle
 * @function:     as in poold_submit()
 * @inputs:       inputs; together one message, so below 1 MiB and with at most 4 fds
 * @n_inputs:     how many, at least 1
 * @options:      options for each, or NULL
 * @ret_futures:  room for @n_inputs futures
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference to each future.
 * Returns:  0.
 * Errors:   as poold_submit(); -E2BIG more than 4 fds.
 * Since:    0.1
 */
int poold_submit_many(poold *p, const char *function, const poold_input *inputs, size_t n_inputs,
	const poold_options *options, poold_future **ret_futures);

/**
 * poold_put() - store a value, to be the input of any number of jobs
 * @p:           handle
 * @value:       the value
 * @options:     of these, ttl_us, group, label, key, attached and admit_within_us; NULL: none
 * @ret_future:  its future; POOLD_DONE, without a result here, once the daemon has acknowledged it
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference to the future.
 * Returns:  0.
 * Errors:   as poold_submit().
 * Since:    0.1
 */
int poold_put(poold *p, poold_input value, const poold_options *options, poold_future **ret_future);

/* ---- futures ---- */

/**
 * poold_future_open() - a future from its ID
 * @p:           handle
 * @id:          ID that this or another process got
 * @ret_future:  the future, POOLD_ACCEPTED; the same object if this handle waits for that ID
 *               already
 *
 * An ID that does not exist, or belongs to somebody else, makes it POOLD_REFUSED.
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference.
 * Returns:  0.
 * Errors:   -EAGAIN, -ENOTCONN, -EPROTO as poold_submit().
 * Since:    0.1
 */
int poold_future_open(poold *p, uint64_t id, poold_future **ret_future);

/**
 * poold_future_ref() - one reference more
 * @f:  future
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference.
 * Returns:  @f.
 * Errors:   none.
 * Since:    0.1
 */
poold_future *poold_future_ref(poold_future *f);

/**
 * poold_future_unref() - one reference less
 * @f:  future or NULL
 *
 * The job goes on, and the daemon keeps its future.
 *
 * Blocks:   no.
 * Owner:    the caller's reference is gone; with the last one all its views.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_future *poold_future_unref(poold_future *f);

/**
 * poold_future_set_callback() - what to call when it is settled
 * @f:         future
 * @callback:  function; NULL: none any more
 * @userdata:  passed to it
 *
 * If the future is settled already, it is called from the next round of the pump. Without a
 * function @userdata is kept all the same, for poold_future_get_userdata().
 *
 * Blocks:   no.
 * Owner:    nothing changes hands; @userdata stays the caller's.
 * Returns:  0.
 * Errors:   -ENOTCONN settled, and its handle is gone.
 * Since:    0.1
 */
int poold_future_set_callback(poold_future *f, poold_callback callback, void *userdata);

/**
 * poold_future_get_userdata() - what was given to poold_future_set_callback()
 * @f:  future
 *
 * Blocks:   no.
 * Owner:    the caller's.
 * Returns:  the pointer; NULL if none was given.
 * Errors:   none.
 * Since:    0.1
 */
void *poold_future_get_userdata(const poold_future *f);

/**
 * poold_future_get_handle() - the handle that it came from
 * @f:  future
 *
 * Blocks:   no.
 * Owner:    borrowed.
 * Returns:  the handle; NULL if that is gone.
 * Errors:   none.
 * Since:    0.1
 */
poold *poold_future_get_handle(const poold_future *f);

/**
 * poold_future_get_id() - its ID
 * @f:  future
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the ID; 0 while it is not acknowledged, or if the submit was refused.
 * Errors:   none.
 * Since:    0.1
 */
uint64_t poold_future_get_id(const poold_future *f);

/**
 * poold_future_get_state() - where it stands, as far as this process knows
 * @f:  future
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  POOLD_SENT, POOLD_ACCEPTED, or a settled state.
 * Errors:   none.
 * Since:    0.1
 */
poold_state poold_future_get_state(const poold_future *f);

/**
 * poold_future_wait_id() - wait until the daemon has acknowledged it
 * @f:           future
 * @timeout_us:  longest wait
 *
 * Blocks:   yes, up to @timeout_us; runs the pump, so callbacks may run.
 * Owner:    nothing changes hands.
 * Returns:  1 the ID is known, or the submit was refused (poold_future_get_state()); 0 time is
 *           over.
 * Errors:   as poold_process(); -ENOTCONN also if the future is POOLD_DISCONNECTED without an ID.
 * Since:    0.1
 */
int poold_future_wait_id(poold_future *f, uint64_t timeout_us);

/**
 * poold_future_wait() - wait until it is settled
 * @f:           future
 * @timeout_us:  longest wait
 *
 * Blocks:   yes, up to @timeout_us; runs the pump, so callbacks may run.
 * Owner:    nothing changes hands.
 * Returns:  1 it is final or refused, 0 time is over.
 * Errors:   as poold_process(); -ENOTCONN also if the future is POOLD_DISCONNECTED.
 * Since:    0.1
 */
int poold_future_wait(poold_future *f, uint64_t timeout_us);

/**
 * poold_future_get_bytes() - the result, if it is bytes
 * @f:          future
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * A large result is mapped at the first call, not copied.
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f.
 * Returns:  0.
 * Errors:   -ENODATA it is not POOLD_DONE, or was put; -ENOMSG the result is no byte string and no
 *           text: use poold_future_get_encoded(); -EPROTO the daemon passed an fd that is no
 *           sealed memfd.
 * Since:    0.1
 */
int poold_future_get_bytes(poold_future *f, const void **ret_bytes, size_t *ret_len);

/**
 * poold_future_get_encoded() - the result as MessagePack
 * @f:            future
 * @ret_encoded:  view of the encoding; ext type 1 in it names an fd, see poold_future_get_part()
 * @ret_len:      its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f.
 * Returns:  0.
 * Errors:   -ENODATA it is not POOLD_DONE, or was put.
 * Since:    0.1
 */
int poold_future_get_encoded(poold_future *f, const void **ret_encoded, size_t *ret_len);

/**
 * poold_future_get_fd() - the sealed memfd that ext type 1 of a result or of error details names
 * @f:        future
 * @index:    0 if the result as a whole is one
 * @ret_len:  its size; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f: duplicate it to keep it.
 * Returns:  the fd.
 * Errors:   -ENODATA there is none; -EPROTO it is no sealed memfd.
 * Since:    0.1
 */
int poold_future_get_fd(poold_future *f, unsigned index, size_t *ret_len);

/**
 * poold_future_get_part() - the bytes that ext type 1 of a result or of error details names
 * @f:          future
 * @index:      index of the ext
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f.
 * Returns:  0.
 * Errors:   -ENODATA there is none; -EPROTO it is no sealed memfd.
 * Since:    0.1
 */
int poold_future_get_part(poold_future *f, unsigned index, const void **ret_bytes, size_t *ret_len);

/**
 * poold_future_get_error() - what went wrong with the job
 * @f:            future
 * @ret_code:     stable word: "failed", "exit", "lost", "quota", "unknown_function", …
 * @ret_message:  a sentence for people; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f.
 * Returns:  1 something did, 0 nothing did, or it is not settled. POOLD_DONE with an error
 *           ("too_large") is a result that did not fit on its way here: poold_read() gives it.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_future_get_error(poold_future *f, const char **ret_code, const char **ret_message);

/**
 * poold_future_get_details() - the details of that, as MessagePack
 * @f:            future
 * @ret_encoded:  view of the encoding of a map
 * @ret_len:      its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f.
 * Returns:  0.
 * Errors:   -ENODATA there are none.
 * Since:    0.1
 */
int poold_future_get_details(poold_future *f, const void **ret_encoded, size_t *ret_len);

/* What can end a job by time. */
typedef enum poold_clock {
	POOLD_CLOCK_NONE = 0, /* it did not end so */
	POOLD_CLOCK_START_WITHIN = 1,
	POOLD_CLOCK_TIMEOUT = 2,
	POOLD_CLOCK_DEADLINE = 3
} poold_clock;

/**
 * poold_future_get_clock() - which clock ended it
 * @f:  future
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the clock of one that is POOLD_TIMEOUT, else POOLD_CLOCK_NONE.
 * Errors:   none.
 * Since:    0.1
 */
poold_clock poold_future_get_clock(poold_future *f);

/**
 * poold_future_get_exit() - how a command ended
 * @f:              future of a command, POOLD_DONE or POOLD_FAILED
 * @ret_exit_code:  exit code, -1 if a signal ended it; may be NULL
 * @ret_signal:     signal, 0 if it exited; may be NULL
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -ENODATA it is not settled, or was no command that ran.
 * Since:    0.1
 */
int poold_future_get_exit(poold_future *f, int *ret_exit_code, int *ret_signal);

/**
 * poold_future_get_output() - what a command wrote
 * @f:              future of a command, POOLD_DONE or POOLD_FAILED
 * @stream:         1 its standard output, 2 its standard error
 * @ret_bytes:      view; never NULL
 * @ret_len:        its length
 * @ret_truncated:  1 if there was more than the pool keeps; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref of @f.
 * Returns:  0.
 * Errors:   -ENODATA as poold_future_get_exit(), or that stream was not captured; -EPROTO.
 * Since:    0.1
 */
int poold_future_get_output(
	poold_future *f, int stream, const void **ret_bytes, size_t *ret_len, int *ret_truncated);

/* Where the time went, in microseconds; 0 for a step that was not reached. */
typedef struct poold_timing {
	size_t size;	      /* of this struct, set by the caller */
	uint64_t queued_us;   /* from the submit to the hand-over */
	uint64_t handover_us; /* from there to the start of the run */
	uint64_t run_us;
	uint64_t return_us; /* from the end of the run until the daemon had the result */
} poold_timing;

/**
 * poold_future_get_timing() - where the time went
 * @f:           future
 * @ret_timing:  timing; its member size must be set
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -ENODATA it has no final state yet.
 * Since:    0.1
 */
int poold_future_get_timing(poold_future *f, poold_timing *ret_timing);

/* How to cancel. */
typedef enum poold_cancel_mode {
	POOLD_CANCEL_QUEUED = 0, /* only if it does not run yet */
	POOLD_CANCEL_TERM = 1,	 /* SIGTERM, and SIGKILL after the job's grace */
	POOLD_CANCEL_KILL = 2
} poold_cancel_mode;

/**
 * poold_future_cancel() - ask the daemon to cancel it
 * @f:       future
 * @mode:    how
 * @reason:  up to 256 bytes, kept with the future; or NULL
 *
 * Nothing is waited for: the future's state tells how it ended. A future without an ID yet is
 * cancelled as soon as it has one. The daemon's answer is told by poold_cancel().
 *
 * Blocks:   no.
 * Owner:    @reason is copied.
 * Returns:  1 asked, 0 it is settled already.
 * Errors:   -EAGAIN, -ENOTCONN, -EPROTO as poold_submit().
 * Since:    0.1
 */
int poold_future_cancel(poold_future *f, poold_cancel_mode mode, const char *reason);

/**
 * poold_future_release() - let the daemon forget it, once its end has arrived here
 * @f:  future
 *
 * What arrived can still be read here, but the ID leads nowhere any more. poold_release() forgets
 * at once.
 *
 * Blocks:   no.
 * Owner:    the caller's reference stays.
 * Returns:  0.
 * Errors:   -EAGAIN, -ENOTCONN, -EPROTO as poold_submit().
 * Since:    0.1
 */
int poold_future_release(poold_future *f);

/* ---- sets: futures in the order in which they are settled ---- */

/**
 * poold_set_new() - an empty set
 * @p:        handle of the futures that will be in it
 * @ret_set:  the set
 *
 * Blocks:   no.
 * Owner:    the caller gets the set.
 * Returns:  0.
 * Errors:   -ENOMEM.
 * Since:    0.1
 */
int poold_set_new(poold *p, poold_set **ret_set);

/**
 * poold_set_free() - end of a set
 * @s:  set or NULL
 *
 * Blocks:   no.
 * Owner:    the references that the set holds are dropped; the jobs go on.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_set *poold_set_free(poold_set *s);

/**
 * poold_set_add() - put a future into a set
 * @s:  set
 * @f:  future of the same handle, settled or not
 *
 * Blocks:   no.
 * Owner:    the set takes a reference of its own.
 * Returns:  0.
 * Errors:   -EBUSY it is in a set already; -EXDEV it belongs to another handle.
 * Since:    0.1
 */
int poold_set_add(poold_set *s, poold_future *f);

/**
 * poold_set_next() - the next future that is settled
 * @s:           set
 * @timeout_us:  longest wait; 0 after poold_process() is the way in an event loop
 * @ret_future:  the future, which is in the set no more
 *
 * Each future that was added comes out once. If the connection is lost, those that were waiting
 * come out as POOLD_DISCONNECTED; so a loop until -ENOENT always ends.
 *
 * Blocks:   yes, up to @timeout_us; runs the pump, so callbacks may run. With 0 it sends and
 *           receives what is there without waiting; from within a callback it only looks.
 * Owner:    the caller gets the set's reference.
 * Returns:  1 there is one, 0 time is over.
 * Errors:   -ENOENT the set is empty; as poold_process().
 * Since:    0.1
 */
int poold_set_next(poold_set *s, uint64_t timeout_us, poold_future **ret_future);

/**
 * poold_set_get_size() - how many futures are in it
 * @s:  set
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the number.
 * Errors:   none.
 * Since:    0.1
 */
size_t poold_set_get_size(const poold_set *s);

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
