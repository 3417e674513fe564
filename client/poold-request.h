/* libpoold, requests: every method of the wire by its name, and functions for those that are about
 * many futures, or the daemon itself. poold.h says what holds for all functions. */
#ifndef POOLD_REQUEST_H
#define POOLD_REQUEST_H

#include "poold-reply.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What to send. Start with POOLD_REQUEST_INIT. */
typedef struct poold_request_args {
	size_t size;	    /* of this struct, as the caller knows it */
	const void *params; /* MessagePack of the array of parameters; NULL: none */
	size_t params_len;
	const int *fds; /* that ext type 1 in the parameters names; duplicated */
	unsigned n_fds;
} poold_request_args;

#define POOLD_REQUEST_INIT                                                                         \
	{                                                                                          \
		sizeof(poold_request_args), NULL, 0, NULL, 0                                       \
	}

/**
 * poold_request() - send a request and wait for its answer
 * @p:           handle
 * @method:      "list", "stats", …
 * @args:        parameters, or NULL: none
 * @timeout_us:  longest wait for the answer
 * @ret_reply:   the answer, which may be an error answer: poold_reply_get_error()
 *
 * Blocks:   yes, up to @timeout_us; runs the pump, so callbacks may run.
 * Owner:    the caller gets the reply; @args is borrowed.
 * Returns:  0.
 * Errors:   -ETIMEDOUT no answer in time; it is thrown away when it comes; -EBADMSG the parameters
 *           are no encoded array; -EMSGSIZE, -EAGAIN as poold_submit(); as poold_process().
 * Since:    0.1
 */
int poold_request(poold *p, const char *method, const poold_request_args *args, uint64_t timeout_us,
	poold_reply **ret_reply);

/**
 * poold_request_async() - send a request; its answer goes to a callback
 * @p:         handle
 * @method:    "list", "stats", …
 * @args:      parameters, or NULL: none
 * @callback:  called once from the pump; with the error "disconnected" if the connection ends
 *             first; NULL: nobody wants to know
 * @userdata:  passed to it
 *
 * Blocks:   no.
 * Owner:    the callback borrows the reply; poold_reply_ref() keeps it.
 * Returns:  0.
 * Errors:   -EBADMSG, -EMSGSIZE, -EAGAIN, -ENOTCONN, -EPROTO.
 * Since:    0.1
 */
int poold_request_async(poold *p, const char *method, const poold_request_args *args,
	poold_reply_callback callback, void *userdata);

/* ---- requests with a form of their own ---- */

/**
 * poold_hello() - who answers there
 * @p:           handle
 * @timeout_us:  longest wait
 * @ret_reply:   {server, version, protocol, pid, uid, features, limits}
 *
 * Blocks:   yes, up to @timeout_us; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_hello(poold *p, uint64_t timeout_us, poold_reply **ret_reply);

/**
 * poold_ping() - is somebody there?
 * @p:           handle
 * @timeout_us:  longest wait
 *
 * Blocks:   yes, up to @timeout_us; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   as poold_request(); -EREMOTEIO refused.
 * Since:    0.1
 */
int poold_ping(poold *p, uint64_t timeout_us);

/**
 * poold_poll() - the state of a future, from the daemon
 * @p:          handle
 * @id:         its ID
 * @ret_state:  POOLD_DELAYED … POOLD_ABORTED
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -ENOENT no such future (any more); -EREMOTEIO refused; as poold_request().
 * Since:    0.1
 */
int poold_poll(poold *p, uint64_t id, poold_state *ret_state);

/* How many of the IDs poold_wait_ids() waits for; or a number from 1 up. */
#define POOLD_FOR_ALL		0
#define POOLD_FOR_ANY		1
#define POOLD_FOR_FIRST_FAILURE (-1)

/* Which of one's own futures a request is about. A member that is NULL or 0 leaves all in. Set
 * size, best by POOLD_FILTER_INIT. */
typedef struct poold_filter {
	size_t size; /* of this struct, as the caller knows it */
	const char *group;
	const char *pool;
	const char *label;
	const poold_state *states; /* of POOLD_DELAYED … POOLD_CANCELLING, POOLD_DONE …
				      POOLD_ABORTED */
	size_t n_states;
} poold_filter;

#define POOLD_FILTER_INIT                                                                          \
	{                                                                                          \
		sizeof(poold_filter), NULL, NULL, NULL, NULL, 0                                    \
	}

/**
 * poold_wait_ids() - wait for futures by their IDs, in the daemon
 * @p:           handle
 * @ids:         IDs
 * @n_ids:       how many
 * @need:        POOLD_FOR_ALL, POOLD_FOR_ANY, POOLD_FOR_FIRST_FAILURE, or a number of them
 * @timeout_us:  longest wait
 * @ret_reply:   [[ID, state], …] of those that are final, in the order in which they ended
 *
 * Brings no results: poold_future_open() and poold_set_next() do.
 *
 * Blocks:   yes, up to @timeout_us, and until the daemon answers; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0, also when time is over.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_wait_ids(poold *p, const uint64_t *ids, size_t n_ids, int need, uint64_t timeout_us,
	poold_reply **ret_reply);

/**
 * poold_wait_matching() - wait for one's futures that match now, in the daemon
 * @p:           handle
 * @filter:      which
 * @need:        as in poold_wait_ids()
 * @timeout_us:  longest wait
 * @ret_reply:   as in poold_wait_ids(); nothing matches: the empty list
 *
 * What is submitted later does not count. More than 32768 are refused.
 *
 * Blocks:   yes, up to @timeout_us, and until the daemon answers; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0, also when time is over.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_wait_matching(poold *p, const poold_filter *filter, int need, uint64_t timeout_us,
	poold_reply **ret_reply);

/**
 * poold_call() - run a function and bring its result: submit, wait and release in one
 * @p:           handle
 * @function:    as in poold_submit()
 * @input:       what it works on
 * @options:     options or NULL; no key
 * @timeout_us:  longest wait
 * @ret_reply:   the result; an error answer if the job is not done, or not taken
 *
 * The quickest way to one result: one answer in place of two, and no future. So there is no ID by
 * which the job could be cancelled or its result be found again; it is cancelled when the
 * connection closes. It goes on when time is over here: timeout_us and deadline_us of @options
 * bound the job itself.
 *
 * Blocks:   yes, up to @timeout_us; runs the pump.
 * Owner:    the caller gets the reply; @input, @options are borrowed.
 * Returns:  0.
 * Errors:   as poold_submit(); -ETIMEDOUT time is over; -EDEADLK in a callback.
 * Since:    0.1
 */
int poold_call(poold *p, const char *function, poold_input input, const poold_options *options,
	uint64_t timeout_us, poold_reply **ret_reply);

/**
 * poold_result() - the result of a future by its ID
 * @p:           handle
 * @id:          its ID
 * @timeout_us:  longest wait for its end
 * @release:     1: forget it as soon as the result is sent
 * @ret_reply:   the result; an error answer if it is not done, "not_ready" when time is over
 *
 * Blocks:   yes, up to @timeout_us, and until the daemon answers; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_result(poold *p, uint64_t id, uint64_t timeout_us, int release, poold_reply **ret_reply);

/**
 * poold_read() - a piece of a result's encoding, or of what a command wrote
 * @p:           handle
 * @id:          ID
 * @stream:      NULL the result, "stdout" or "stderr" the output, also while it runs
 * @offset:      from where
 * @max:         at most so many bytes
 * @timeout_us:  of a stream: longest wait for more
 * @buffer:      room for @max bytes
 * @ret_eof:     1 if nothing follows
 *
 * Blocks:   yes, up to @timeout_us, and until the daemon answers; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  how many bytes were read; it may be fewer than there are.
 * Errors:   -ENOENT no such future (any more); -EREMOTEIO refused; as poold_request().
 * Since:    0.1
 */
ssize_t poold_read(poold *p, uint64_t id, const char *stream, uint64_t offset, size_t max,
	uint64_t timeout_us, void *buffer, int *ret_eof);

/**
 * poold_info() - all that is known of a future
 * @p:          handle
 * @id:         its ID
 * @ret_reply:  a map
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_info(poold *p, uint64_t id, poold_reply **ret_reply);

/**
 * poold_cancel() - cancel futures by their IDs
 * @p:          handle
 * @ids:        IDs
 * @n_ids:      how many
 * @mode:       how
 * @reason:     up to 256 bytes, or NULL
 * @ret_reply:  [[ID, outcome], …]
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_cancel(poold *p, const uint64_t *ids, size_t n_ids, poold_cancel_mode mode,
	const char *reason, poold_reply **ret_reply);

/**
 * poold_signal() - send a signal to a command that runs
 * @p:      handle
 * @id:     its ID
 * @signo:  number, 1 to 64
 *
 * The command's process group gets it; what the command makes of it is its own affair, and its
 * result tells. Functions of modules take no signals.
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  0: it is on its way.
 * Errors:   -ENOENT no such future (any more); -EREMOTEIO refused: it does not run yet, or is over,
 *           or is no command; as poold_request().
 * Since:    0.1
 */
int poold_signal(poold *p, uint64_t id, int signo);

/* What poold_change() sets; start from POOLD_CHANGES_INIT, which changes nothing. */
typedef struct poold_changes {
	size_t size;	      /* of this struct, as the caller knows it */
	uint64_t ttl_us;      /* kept this long after its end; 0: as it is */
	const char *label;    /* up to 256 bytes, "" takes it away; NULL: as it is */
	int32_t priority;     /* higher first */
	uint8_t has_priority; /* 1: it is meant */
} poold_changes;

#define POOLD_CHANGES_INIT                                                                         \
	{                                                                                          \
		sizeof(poold_changes), 0, NULL, 0, 0                                               \
	}

/**
 * poold_change() - change a future, also while it waits
 * @p:        handle
 * @id:       its ID
 * @changes:  what to change
 *
 * A job that waits keeps its age: it goes as if it had been submitted like this.
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    nothing changes hands; @changes is borrowed.
 * Returns:  0.
 * Errors:   -ENOENT no such future (any more); -EREMOTEIO refused: it is over and has no priority;
 *           as poold_request().
 * Since:    0.1
 */
int poold_change(poold *p, uint64_t id, const poold_changes *changes);

/**
 * poold_cancel_matching() - cancel one's futures that match
 * @p:          handle
 * @filter:     which; the states, if none are given, are all: what had ended is told as too_late
 * @mode:       how
 * @reason:     up to 256 bytes, or NULL
 * @ret_reply:  [[ID, outcome], …], of the oldest 32768 at most: more need further calls
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    the caller gets the reply.
 * Returns:  0.
 * Errors:   as poold_request().
 * Since:    0.1
 */
int poold_cancel_matching(poold *p, const poold_filter *filter, poold_cancel_mode mode,
	const char *reason, poold_reply **ret_reply);

/**
 * poold_retry() - submit a job once more that did not get done
 * @p:       handle
 * @id:      ID of a job that is final and not POOLD_DONE
 * @ret_id:  ID of the new one: same owner, function, input and options
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EREMOTEIO refused; as poold_request().
 * Since:    0.1
 */
int poold_retry(poold *p, uint64_t id, uint64_t *ret_id);

/**
 * poold_reload() - have the daemon read its configuration anew
 * @p:           handle
 * @restart:     names of pools that get new processes whether or not they were changed; may be NULL
 * @n_restart:   how many
 * @timeout_us:  longest wait
 * @ret_reply:   {added, removed, restarted, changed, unchanged: names of pools; settings: keys of
 *               [daemon] and [limits] that took effect; needs_restart: keys that have none before
 *               poold is restarted}; may be NULL
 *
 * For administrators. All of it takes effect, or nothing: then the error of the handle names file,
 * line and key, or the pool that cannot be made ready. Jobs that run go on.
 *
 * Blocks:   yes, up to @timeout_us, until it is decided; runs the pump. After a time-out the daemon
 *           goes on with it.
 * Owner:    the caller gets the reply.
 * Returns:  0.
 * Errors:   -EREMOTEIO refused; -EINVAL a name is NULL; -ETIMEDOUT; as poold_request().
 * Since:    0.1
 */
int poold_reload(poold *p, const char *const *restart, size_t n_restart, uint64_t timeout_us,
	poold_reply **ret_reply);

/**
 * poold_release() - let the daemon forget futures at once
 * @p:      handle
 * @ids:    IDs; a job that runs goes on and is forgotten at its end
 * @n_ids:  how many
 * @ret_n:  how many were released; may be NULL
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EREMOTEIO refused; as poold_request().
 * Since:    0.1
 */
int poold_release(poold *p, const uint64_t *ids, size_t n_ids, size_t *ret_n);

/**
 * poold_release_matching() - let the daemon forget one's futures that match
 * @p:       handle
 * @filter:  which; the oldest 32768 of them at most: more need further calls
 * @ret_n:   how many were released; may be NULL
 *
 * Blocks:   yes, for one question and answer; runs the pump.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   as poold_release().
 * Since:    0.1
 */
int poold_release_matching(poold *p, const poold_filter *filter, size_t *ret_n);

#ifdef __cplusplus
}
#endif

#endif
