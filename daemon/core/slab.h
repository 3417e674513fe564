/* Pieces of memory of one size, some of which are kept for the next who wants one. */
#pragma once

#include <stddef.h>

struct slab {
	size_t bytes;  /* of a piece */
	unsigned keep; /* pieces that may lie here */
	unsigned n;    /* that do */
	struct spare *first;
};

/* How many as a rule: a burst of jobs that come and go within a few turns of the loop. */
#define SLAB_KEEP 4096u
/* `size`: at least that of a pointer. */
#define SLAB_INIT(size)                                                                            \
	{                                                                                          \
		.bytes = (size), .keep = SLAB_KEEP                                                 \
	}

/* A piece, zeroed; NULL: no memory. */
void *slab_take(struct slab *s);
/* Takes NULL. */
void slab_give(struct slab *s, void *piece);
/* Frees those that are kept. */
void slab_deinit(struct slab *s);
