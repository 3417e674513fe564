/* What a job needs is taken and given back some hundred thousand times a second, and a client that
 * keeps thousands of jobs under way makes more of them at once than malloc() has a fast way for. So
 * what was given back last is handed out first. What is kept is bounded: behind a burst of a million
 * jobs the rest goes back to malloc(). Who takes a piece has charged it before, as with malloc();
 * pieces that lie here are nobody's.
 *
 * With sanitizers nothing is kept, so that they see who uses a piece that he gave back.
 */
#include "daemon/core/slab.h"

#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define KEEPS_NOTHING 1
#else
#define KEEPS_NOTHING 0
#endif

struct spare {
	struct spare *next;
};

void *slab_take(struct slab *s)
{
	struct spare *spare = s->first;

	if (!spare)
		return calloc(1, s->bytes);
	s->first = spare->next;
	s->n--;
	memset(spare, 0, s->bytes);
	return spare;
}

void slab_give(struct slab *s, void *piece)
{
	struct spare *spare = piece;

	if (!spare || s->n >= s->keep || KEEPS_NOTHING) {
		free(piece);
		return;
	}
	spare->next = s->first;
	s->first = spare;
	s->n++;
}

void slab_deinit(struct slab *s)
{
	struct spare *spare;

	while ((spare = s->first)) {
		s->first = spare->next;
		free(spare);
	}
	s->n = 0;
}
