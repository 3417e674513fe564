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

#ifdef __cplusplus
}
#endif

/* The parts, each of which includes this file before itself, so that any may be named first. */
#include "poold-input.h"

#include "poold-submit.h"

#include "poold-future.h"

#endif
