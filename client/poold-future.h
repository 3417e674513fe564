/* libpoold, futures: what becomes of a job, and sets of them in the order in which they are
 * settled. A part of poold.h, which includes it. */
#include "poold.h"

#ifndef POOLD_FUTURE_H
#define POOLD_FUTURE_H

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
