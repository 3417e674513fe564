/* What a job needs is taken and given back some hundred thousand times a second, and there may be a
 * million of it: so a piece has no head of its own, and which block it lies in is told by its
 * address. What was given back last is handed out first. Of blocks that nobody uses a bounded
 * number is kept: behind a burst of a million jobs the rest goes back to malloc(). Who takes a
 * piece has charged it before, as with malloc(); pieces that lie here are nobody's.
 *
 * With sanitizers there are no blocks, so that they see who uses a piece that he gave back.
 */
#include "daemon/core/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define HAS_BLOCKS 0
#else
#define HAS_BLOCKS 1
#endif

struct slab_spare {
	struct slab_spare *next;
};

static struct slab_block *block_of(void *piece)
{
	return (void *)((uintptr_t)piece & ~(uintptr_t)(SLAB_BLOCK_BYTES - 1));
}

static struct slab_block *block_new(struct slab *s)
{
	struct slab_block *b = aligned_alloc(SLAB_BLOCK_BYTES, SLAB_BLOCK_ROOM);

	if (!b)
		return NULL;
	*b = (struct slab_block){0};
	LIST_INSERT_HEAD(&s->blocks, b, in_slab);
	s->n_empty++;
	return b;
}

static void block_free(struct slab *s, struct slab_block *b)
{
	LIST_REMOVE(b, in_slab);
	s->n_empty--;
	free(b);
}

static void *block_take(struct slab *s, struct slab_block *b)
{
	struct slab_spare *spare = b->first;
	void *piece = spare;

	if (spare)
		b->first = spare->next;
	else
		piece = (char *)(b + 1) + b->n_cut++ * s->bytes;
	s->n_empty -= b->n_used == 0;
	if (++b->n_used == s->n_block)
		LIST_REMOVE(b, in_slab);
	return piece;
}

void *slab_take(struct slab *s)
{
	struct slab_block *b;

	if (!HAS_BLOCKS)
		return calloc(1, s->bytes);
	b = LIST_FIRST(&s->blocks);
	if (!b)
		b = block_new(s);
	return b ? memset(block_take(s, b), 0, s->bytes) : NULL;
}

void slab_give(struct slab *s, void *piece)
{
	struct slab_spare *spare = piece;
	struct slab_block *b;

	if (!HAS_BLOCKS || !piece) {
		free(piece);
		return;
	}
	b = block_of(piece);
	spare->next = b->first;
	b->first = spare;
	if (b->n_used-- == s->n_block)
		LIST_INSERT_HEAD(&s->blocks, b, in_slab);
	if (b->n_used == 0 && s->n_empty++ >= SLAB_KEEP)
		block_free(s, b);
}

void slab_deinit(struct slab *s)
{
	while (!LIST_EMPTY(&s->blocks))
		block_free(s, LIST_FIRST(&s->blocks));
}
