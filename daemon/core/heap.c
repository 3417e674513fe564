/* A heap that knows where each node stands, so that any of them can be moved or taken out in
 * O(log n). Keys that only grow (equal run times, equal times to live, equal priorities) go in at
 * O(1). Room is reserved when the embedding object is made: putting a node in never fails.
 *
 * With a million nodes what costs is memory that is in no cache. So each node has four below it,
 * which halves the levels of a binary heap, and their keys lie side by side.
 */
#include "daemon/core/heap.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES (1u << 30)

void heap_deinit(struct heap *h)
{
	free(h->entries);
	*h = (struct heap){0};
}

int heap_reserve(struct heap *h, uint32_t n)
{
	struct heap_entry *entries;
	uint32_t size = h->size ? h->size : 16;

	if (n <= h->size)
		return 0;
	if (n > MAX_NODES)
		return -ENOMEM;
	while (size < n)
		size *= 2;
	/* Most of it may never be used: realloc() would write to all that it copies. */
	entries = malloc(size * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	if (h->n)
		memcpy(entries, h->entries, h->n * sizeof(*entries));
	free(h->entries);
	h->entries = entries;
	h->size = size;
	return 0;
}

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->key != b->key ? a->key < b->key : a->node->order < b->node->order;
}

static void put(struct heap *h, uint32_t i, struct heap_entry e)
{
	h->entries[i] = e;
	e.node->pos = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_entry e)
{
	while (i > 0 && before(&e, &h->entries[heap_above(i)])) {
		put(h, i, h->entries[heap_above(i)]);
		i = heap_above(i);
	}
	put(h, i, e);
}

/* The first of those below place i; h->n or beyond: there is none. */
static uint32_t first_below(const struct heap *h, uint32_t i)
{
	uint32_t first = HEAP_WIDTH * i + 1, end = first + HEAP_WIDTH, best = first;

	for (uint32_t k = first + 1; k < end && k < h->n; k++)
		if (before(&h->entries[k], &h->entries[best]))
			best = k;
	return best;
}

static void sift_down(struct heap *h, uint32_t i, struct heap_entry e)
{
	for (;;) {
		uint32_t child = first_below(h, i);

		if (child >= h->n || !before(&h->entries[child], &e))
			break;
		put(h, i, h->entries[child]);
		i = child;
	}
	put(h, i, e);
}

/* Puts a node where its key belongs, starting from place i. */
static void place(struct heap *h, uint32_t i, struct heap_entry e)
{
	if (i > 0 && before(&e, &h->entries[heap_above(i)]))
		sift_up(h, i, e);
	else
		sift_down(h, i, e);
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t key, uint64_t order)
{
	struct heap_entry e = {.key = key, .node = node};

	node->key = key;
	node->order = order;
	if (node->pos && h->n == 1) {
		h->entries[0] = e;
		return;
	}
	if (node->pos) {
		place(h, node->pos - 1, e);
		return;
	}
	assert(h->n < h->size);
	h->n++;
	sift_up(h, h->n - 1, e);
}

void heap_clear(struct heap *h, struct heap_node *node)
{
	struct heap_entry last;
	uint32_t i;

	if (!node->pos)
		return;
	i = node->pos - 1;
	node->pos = 0;
	last = h->entries[--h->n];
	if (last.node != node)
		place(h, i, last);
}

void heap_empty(struct heap *h)
{
	while (h->n > 0)
		h->entries[--h->n].node->pos = 0;
}

void heap_rebuild(struct heap *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		h->entries[i].key = h->entries[i].node->key;
	for (uint32_t i = h->n; i-- > 0;)
		sift_down(h, i, h->entries[i]);
}

/* Depth first: below a node that does not come before, none does. */
uint32_t heap_count_before(const struct heap *h, const struct heap_node *node, uint32_t most)
{
	struct heap_entry e = {.key = node->key, .node = (struct heap_node *)(uintptr_t)node};
	uint32_t i = 0, n = 0;

	while (n < most) {
		if (i < h->n && before(&h->entries[i], &e)) {
			n++;
			i = HEAP_WIDTH * i + 1;
			continue;
		}
		while (i > 0 && i % HEAP_WIDTH == 0) /* the last one below another */
			i = heap_above(i);
		if (i == 0)
			break;
		i++;
	}
	return n;
}
