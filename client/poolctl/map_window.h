/* The jobs of a map that are out at a time, and what of them is still to be printed. */
#pragma once

#include "client/poolctl/map_item.h"
#include "client/poolctl/map_source.h"

/* When to give up. */
struct map_halt {
	bool now;
	size_t failures; /* 0: never */
};

/* The first group is set by the caller after map_window_init(). */
struct map_window {
	struct map_spec spec;
	struct map_halt halt;
	struct map_source source;
	struct map_report report;
	bool unordered; /* print what ended, not in the order of the arguments */

	struct ctl *ctl;
	struct map_items items;
	size_t n_items; /* in the list */
	size_t n_out;	/* of these, handed in and not settled */
	size_t size, most;
	size_t n_since_growth; /* jobs that ended since the window grew */
	size_t n_bad;	       /* items that ended badly, printed or not */
	uint64_t seq;
	struct map_later later; /* of these, there was no room for them yet */
	bool look_again;	/* an item is settled without any word from the daemon */
	bool want_input;	/* the source is to be read */
	bool no_more;		/* the source is empty, or nothing more is wanted */
	bool is_hopeless;	/* the daemon takes no job of this kind */
	bool is_cancelled;
	bool is_interrupted;
};

/* size: jobs handed in at a time, if there are fds for so many. */
void map_window_init(struct map_window *w, struct ctl *ctl, size_t size);
/* After the connection is closed: no callback comes any more. */
void map_window_deinit(struct map_window *w);
/* Prints the end of an item, if it is not one more of what ends them all. 0 or -ENOMEM. */
must_check int map_window_tell(struct map_window *w, const struct map_item *item);
/* Until all is printed. 0, or -errno; -EINTR: interrupted twice. */
must_check int map_window_run(struct map_window *w);
