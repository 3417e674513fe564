/* libpoold, requests: every method of the wire by its name, and functions for those that are about
 * many futures, watches, or the daemon itself. poold.h says what holds for all functions. */
#ifndef POOLD_REQUEST_H
#define POOLD_REQUEST_H

#include "poold.h"

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

/**
 * poold_reply_ref() - one reference more
 * @r:  reply
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference.
 * Returns:  @r.
 * Errors:   none.
 * Since:    0.1
 */
poold_reply *poold_reply_ref(poold_reply *r);

/**
 * poold_reply_unref() - one reference less
 * @r:  reply or NULL
 *
 * Blocks:   no.
 * Owner:    the caller's reference is gone; with the last one all its views.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_reply *poold_reply_unref(poold_reply *r);

/**
 * poold_reply_get_error() - is it an error answer?
 * @r:            reply
 * @ret_code:     stable word: "not_allowed", "unknown_method", …; may be NULL
 * @ret_message:  a sentence for people; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  1 it is, 0 it is not.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_reply_get_error(poold_reply *r, const char **ret_code, const char **ret_message);

/**
 * poold_reply_get_encoded() - what was answered, as MessagePack
 * @r:            reply
 * @ret_encoded:  view of the result, or of the details of an error
 * @ret_len:      its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  0.
 * Errors:   -ENODATA an error without details.
 * Since:    0.1
 */
int poold_reply_get_encoded(poold_reply *r, const void **ret_encoded, size_t *ret_len);

/**
 * poold_reply_get_bytes() - what was answered, if it is bytes
 * @r:          reply
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  0.
 * Errors:   -ENODATA an error answer; -ENOMSG no byte string and no text; -EPROTO no sealed memfd.
 * Since:    0.1
 */
int poold_reply_get_bytes(poold_reply *r, const void **ret_bytes, size_t *ret_len);

/**
 * poold_reply_get_fd() - the fd that ext type 1 of the answer names
 * @r:        reply
 * @index:    index of the ext
 * @ret_len:  its size; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref: duplicate it to keep it.
 * Returns:  the fd.
 * Errors:   -ENODATA there is none; -EPROTO it is no sealed memfd.
 * Since:    0.1
 */
int poold_reply_get_fd(poold_reply *r, unsigned index, size_t *ret_len);

/**
 * poold_reply_get_part() - the bytes that ext type 1 of the answer names
 * @r:          reply
 * @index:      index of the ext
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  0.
 * Errors:   -ENODATA there is none; -EPROTO it is no sealed memfd.
 * Since:    0.1
 */
int poold_reply_get_part(poold_reply *r, unsigned index, const void **ret_bytes, size_t *ret_len);

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

/* Which of one's own futures a request is about. A member that is NULL or 0 leaves all in. Set size,
 * best by POOLD_FILTER_INIT. */
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
 * which the job could be cancelled or its result be found again; it is cancelled when the connection
 * closes. It goes on when time is over here: timeout_us and deadline_us of @options bound the job
 * itself.
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
 * Errors:   -ENOENT no such future (any more); -EREMOTEIO refused: it does not run yet, or is over, or
 *           is no command; as poold_request().
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

/* What becomes of futures is told to a callback, as long as the watch and the connection last. */
typedef struct poold_watch poold_watch;

/* Called from the pump for each event. @kind is "state", "progress", "output", "dropped" or "final",
 * and @event the map that goes with it: poold_reply_get_encoded(). Kinds that are not known are to be
 * passed over. With @id 0, and an error in @event, the watch is over: "refused" by the daemon (quota, a
 * group that is no name), or "disconnected"; then it only remains to be freed. After poold_reconnect()
 * a new watch tells what ended meanwhile first, by "final". The callback may free the watch. A
 * negative return value ends that round of the pump, which returns it. */
typedef int (*poold_event_callback)(
	poold_watch *watch, uint64_t id, const char *kind, poold_reply *event, void *userdata);

/* What a watch is for; start from POOLD_WATCH_OPTIONS_INIT. */
typedef struct poold_watch_options {
	size_t size; /* of this struct, as the caller knows it */
	const uint64_t *ids;
	size_t n_ids;
	const char *group; /* one's own of that name, also later ones; NULL: none */
	uint8_t all;	   /* 1: all that are not final, and later ones */
	uint8_t progress;  /* 1: what functions tell of it */
	uint8_t output;	   /* 1: what commands write */
} poold_watch_options;

#define POOLD_WATCH_OPTIONS_INIT                                                                   \
	{                                                                                          \
		sizeof(poold_watch_options), NULL, 0, NULL, 0, 0, 0                                \
	}

/**
 * poold_watch_new() - be told what becomes of futures
 * @p:          handle
 * @options:    which futures, and what of them
 * @callback:   called for each event, never from within this call
 * @userdata:   passed to it
 * @ret_watch:  the watch
 *
 * Each future is told by its state, by every change of it, and last by "final", once; those that are
 * final already come first.
 *
 * Blocks:   no.
 * Owner:    the caller gets the watch; the callback borrows the event, poold_reply_ref() keeps it.
 * Returns:  0.
 * Errors:   -EMSGSIZE, -EAGAIN, -ENOTCONN, -EPROTO.
 * Since:    0.1
 */
int poold_watch_new(poold *p, const poold_watch_options *options, poold_event_callback callback,
	void *userdata, poold_watch **ret_watch);

/**
 * poold_watch_add() - have more futures watched
 * @w:    watch
 * @ids:  their IDs
 * @n:    how many
 *
 * Those that are being watched already are passed over; of one whose end was told it is told again.
 * If the daemon cannot take one of them (quota), the watch is "refused" as a whole: no end is ever
 * waited for in vain.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands; @ids is borrowed for the call.
 * Returns:  0.
 * Errors:   -ENOTCONN the watch is over, or not connected; -EAGAIN, -ENOMEM, -EPROTO, -ECHILD.
 * Since:    0.1
 */
int poold_watch_add(poold_watch *w, const uint64_t *ids, size_t n);

/**
 * poold_watch_free() - end a watch
 * @w:  watch, or NULL
 *
 * Its callback is not called again. May be called by it, and after the handle went.
 *
 * Blocks:   no.
 * Owner:    takes the watch.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_watch *poold_watch_free(poold_watch *w);

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
