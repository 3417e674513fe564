/* Pieces of memory of one size, cut from blocks, some of which are kept for the next who wants
 * one. */
#pragma once

#include <stddef.h>
#include <sys/queue.h>

/* Of a block, which begins at a multiple of this. What malloc() puts before it has room in it. */
#define SLAB_BLOCK_BYTES ((size_t)64 * 1024)
#define SLAB_BLOCK_ROOM	 (SLAB_BLOCK_BYTES - 64)
/* Blocks without a piece in use that may lie here: a burst of some thousand jobs that come and go
 * within a few turns of the loop. */
#define SLAB_KEEP 32u

/* What a block begins with. */
struct slab_block {
	LIST_ENTRY(slab_block) in_slab; /* while it has pieces to give */
	struct slab_spare *first;	/* given back */
	unsigned n_used;
	unsigned n_cut; /* off the block so far; what lies behind them was never touched */
};

struct slab {
	size_t bytes;	  /* of a piece */
	unsigned n_block; /* pieces of a block */
	unsigned n_empty; /* blocks without a piece in use */
	LIST_HEAD(, slab_block) blocks;
};

/* `size`: at least that of a pointer, and a multiple of it. */
#define SLAB_INIT(size)                                                                            \
	{                                                                                          \
		.bytes = (size),                                                                   \
		.n_block = (SLAB_BLOCK_ROOM - sizeof(struct slab_block)) / (size),                 \
	}

/* A piece, zeroed; NULL: no memory. */
void *slab_take(struct slab *s);
/* Takes NULL. */
void slab_give(struct slab *s, void *piece);
/* Frees what is kept. No piece is in use. */
void slab_deinit(struct slab *s);
