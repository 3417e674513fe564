/* Some items of a map that follow one another: one job, from the first item to the last result. */
#pragma once

#include "client/client_internal.h"
#include "client/poold-map.h"

struct cl_chunk {
	TAILQ_ENTRY(cl_chunk) in_map;  /* in the order of the items */
	TAILQ_ENTRY(cl_chunk) in_list; /* of those that are to be handed in, or are over */
	uint64_t first;		       /* number of its first item */
	uint32_t n, n_given;	       /* items; of these, given to the caller */
	struct buf values;	       /* their encodings: what was not run is handed in again */
	int fds[PROTO_MESSAGE_FDS];    /* of the item, which is the only one if it has any */
	unsigned n_fds;
	poold_future *f; /* NULL: it is not handed in */

	bool is_over;
	uint32_t n_done;       /* have their results; the others ended as `state` */
	struct cursor results; /* those that were not given */
	size_t result_bytes;   /* of all of them */
	poold_state state;
	const char *code, *message;
};

TAILQ_HEAD(cl_chunks, cl_chunk);

/* With room for so many bytes at first. NULL: no memory. */
must_check struct cl_chunk *cl_chunk_new(const poold *p, uint64_t first, size_t bytes);
void cl_chunk_free(struct cl_chunk *c);
/* One more item; if it has fds and is not the first, cl_chunk_split_last() is next. As
 * poold_submit(). */
must_check int cl_chunk_add(
	struct cl_chunk *c, poold *p, const poold_input *input, unsigned max_depth);
/* The items from that one on, as a chunk of their own in *ret_rest; NULL: there are none. -ENOMEM.
 */
must_check int cl_chunk_split(
	struct cl_chunk *c, const poold *p, uint32_t item, struct cl_chunk **ret_rest);
/* The last item, whose encoding begins at `at`, as a chunk of its own. NULL: no memory. */
must_check struct cl_chunk *cl_chunk_split_last(struct cl_chunk *c, const poold *p, size_t at);
/* As poold_submit(). */
must_check int cl_chunk_hand_in(
	struct cl_chunk *c, poold *p, const char *function, const poold_options *options);
/* All its items end so; code and message are constants. */
void cl_chunk_end(struct cl_chunk *c, poold_state state, const char *code, const char *message);
/* Its job is over. Items that were not run become *ret_rest, a chunk of their own, or NULL.
 * -ENOMEM. */
must_check int cl_chunk_settle(struct cl_chunk *c, const poold *p, struct cl_chunk **ret_rest);
/* The next item that was not given; there is one. */
void cl_chunk_give(struct cl_chunk *c, poold_map_item *ret);
