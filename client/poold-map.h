/* libpoold, maps: one function over many items, which are too small to be messages of their own.
 *
 * A map gathers items into jobs (option each of poold_options), keeps so many of these under way,
 * and gives the results item by item, in the order of the items or as they come:
 *
 *	poold_map_new(handle, "bench/sum", NULL, &map);
 *	for (;;) {
 *		while (have more && poold_map_add(map, poold_input_bytes(…)) == 0)
 *			go to the next one;
 *		if (poold_map_next(map, POOLD_FOREVER, &item) != 1)
 *			break;
 *		look at item;
 *	}
 *	poold_map_free(map);
 *
 * Each item is run at most once, if its function is not pure and options->job asks for no retries
 * (which repeat whole jobs). When one fails, that one is told as
 * failed with its own error, those before it in its job have their results, and those behind it,
 * which were not run, are handed in again. What ends a job as a whole, a time-out or the death of
 * its worker, say, is the end of all its items: with chunk = 1 each item is a job of its own.
 *
 * The results of one job together may have 62 KiB. A map makes jobs as large as the results that it
 * has seen allow; an item whose result has no room all the same has failed, with the code
 * "too_large". An item, or a result of chunk = 1, may be large: it travels by itself, in shared
 * memory. */
#ifndef POOLD_MAP_H
#define POOLD_MAP_H

#include "poold.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct poold_map poold_map;

/* Start with POOLD_MAP_OPTIONS_INIT; 0 and NULL mean "not given". */
typedef struct poold_map_options {
	size_t size;		  /* of this struct, as the caller knows it */
	const poold_options *job; /* of each job; without key and each, and they are released */
	uint32_t chunk;		  /* items in a job, at most; 1 for commands, and for items that are
				     nested 16 deep; 0: as many as run for about 250 us */
	uint32_t window;	  /* jobs that are under way or wait to be looked at; 0: 128 */
	uint8_t unordered;	  /* 1: results as they come */
} poold_map_options;

#define POOLD_MAP_OPTIONS_INIT                                                                     \
	{                                                                                          \
		sizeof(poold_map_options), NULL, 0, 0, 0                                           \
	}

/* The end of one item. */
typedef struct poold_map_item {
	size_t size;	     /* of this struct, set by the caller */
	uint64_t index;	     /* of the item: 0 for the first that was added */
	poold_state state;   /* POOLD_DONE, or another settled one */
	const void *encoded; /* done: its result as MessagePack; else NULL */
	size_t encoded_len;
	const char *code; /* not done: as poold_future_get_error(); else NULL */
	const char *message;
	poold_future *future; /* the job that it was in; NULL: it was never handed in */
} poold_map_item;

/**
 * poold_map_new() - begin a map
 * @p:         handle
 * @function:  "pool/function", or a function of pool default
 * @options:   options or NULL
 * @ret_map:   the map
 *
 * Blocks:   no.
 * Owner:    the caller gets the map, which holds a reference to the handle; options->job is
 *           borrowed until poold_map_free(), the rest is copied.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_map_new(
	poold *p, const char *function, const poold_map_options *options, poold_map **ret_map);

/**
 * poold_map_free() - end of a map
 * @m:  map or NULL
 *
 * Jobs under way go on, unless poold_map_cancel() came before; their results are lost.
 *
 * Blocks:   no.
 * Owner:    all that the map gave is gone.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_map *poold_map_free(poold_map *m);

/**
 * poold_map_add() - one more item
 * @m:      map
 * @input:  what the function is to work on
 *
 * It is handed in with others: when there are enough, or by a poold_map_next() that has to wait, or
 * finds no other job under way.
 *
 * Blocks:   no (but see poold_input_file()).
 * Owner:    @input is borrowed.
 * Returns:  0.
 * Errors:   -EAGAIN enough is under way: take a result and try again; -EBADMSG the encoded input is
 *           none, or nests more than 15 deep where chunk is not 1; others as poold_submit(), of
 *           which -ENOTCONN and -EPROTO concern the connection, the rest this item alone.
 * Since:    0.1
 */
int poold_map_add(poold_map *m, poold_input input);

/**
 * poold_map_next() - the end of the next item
 * @m:           map
 * @timeout_us:  longest wait; 0 after poold_process() is the way in an event loop
 * @ret_item:    the item; its member size must be set
 *
 * Each item that was added comes out once. If the connection is lost, those that were waiting come
 * out as POOLD_DISCONNECTED.
 *
 * Blocks:   yes, up to @timeout_us; runs the pump, so callbacks may run.
 * Owner:    what the item points to is borrowed, until the next call with this map.
 * Returns:  1 there is one, 0 time is over.
 * Errors:   -ENOENT there are no more items than came out; as poold_process().
 * Since:    0.1
 */
int poold_map_next(poold_map *m, uint64_t timeout_us, poold_map_item *ret_item);

/**
 * poold_map_get_bytes() - the result of an item, if it is bytes
 * @item:       what poold_map_next() gave last
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * Blocks:   no.
 * Owner:    borrowed, as the item's result.
 * Returns:  0.
 * Errors:   as poold_future_get_bytes().
 * Since:    0.1
 */
int poold_map_get_bytes(const poold_map_item *item, const void **ret_bytes, size_t *ret_len);

/**
 * poold_map_cancel() - end what is under way
 * @m:       map
 * @mode:    how
 * @reason:  as in poold_future_cancel()
 *
 * Items that were not handed in yet come out as POOLD_CANCELLED, the others as their jobs end.
 *
 * Blocks:   no.
 * Owner:    @reason is copied.
 * Returns:  0.
 * Errors:   as poold_future_cancel().
 * Since:    0.1
 */
int poold_map_cancel(poold_map *m, poold_cancel_mode mode, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
