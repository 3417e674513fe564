/* libpoold, watches: events of futures, pools and workers as they happen. poold.h says what holds
 * for all functions. */
#ifndef POOLD_WATCH_H
#define POOLD_WATCH_H

#include "poold-reply.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of futures is told to a callback, as long as the watch and the connection last. */
typedef struct poold_watch poold_watch;

/* Called from the pump for each event. @kind is "state", "progress", "output", "dropped" or
 * "final", and @event the map that goes with it: poold_reply_get_encoded(). Kinds that are not
 * known are to be passed over. With @id 0, and an error in @event, the watch is over: "refused" by
 * the daemon (quota, a group that is no name), or "disconnected"; then it only remains to be freed.
 * After poold_reconnect() a new watch tells what ended meanwhile first, by "final". The callback
 * may free the watch. A negative return value ends that round of the pump, which returns it. */
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
 * Each future is told by its state, by every change of it, and last by "final", once; those that
 * are final already come first.
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

#ifdef __cplusplus
}
#endif

#endif
