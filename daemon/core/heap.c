/* A binary heap that knows where each node stands, so that any of them can be moved or taken out in
 * O(log n). Keys that only grow (equal run times, equal times to live, equal priorities) go in at
 * O(1). Room is reserved when the embedding object is made: putting a node in never fails.
 */
#include "daemon/core/heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define MAX_NODES (1u << 30)

void heap_deinit(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){0};
}

int heap_reserve(struct heap *h, uint32_t n)
{
	struct heap_node **nodes;
	uint32_t size = h->size ? h->size : 16;

	if (n <= h->size)
		return 0;
	if (n > MAX_NODES)
		return -ENOMEM;
	while (size < n)
		size *= 2;
	nodes = realloc(h->nodes, size * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	h->nodes = nodes;
	h->size = size;
	return 0;
}

static void put(struct heap *h, uint32_t i, struct heap_node *node)
{
	h->nodes[i] = node;
	node->pos = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_node *node)
{
	while (i > 0 && heap_before(node, h->nodes[(i - 1) / 2])) {
		put(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, node);
}

static void sift_down(struct heap *h, uint32_t i, struct heap_node *node)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < h->n && heap_before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (child >= h->n || !heap_before(h->nodes[child], node))
			break;
		put(h, i, h->nodes[child]);
		i = child;
	}
	put(h, i, node);
}

/* Puts a node where its key belongs, starting from place i. */
static void place(struct heap *h, uint32_t i, struct heap_node *node)
{
	if (i > 0 && heap_before(node, h->nodes[(i - 1) / 2]))
		sift_up(h, i, node);
	else
		sift_down(h, i, node);
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t key, uint64_t order)
{
	node->key = key;
	node->order = order;
	if (node->pos) {
		place(h, node->pos - 1, node);
		return;
	}
	assert(h->n < h->size);
	h->n++;
	sift_up(h, h->n - 1, node);
}

void heap_clear(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;
	uint32_t i;

	if (!node->pos)
		return;
	i = node->pos - 1;
	node->pos = 0;
	last = h->nodes[--h->n];
	if (last != node)
		place(h, i, last);
}

/* Depth first: below a node that does not come before, none does. */
uint32_t heap_count_before(const struct heap *h, const struct heap_node *node, uint32_t most)
{
	uint32_t i = 0, n = 0;

	while (n < most) {
		if (i < h->n && heap_before(h->nodes[i], node)) {
			n++;
			i = 2 * i + 1;
			continue;
		}
		while (i > 0 && i % 2 == 0) /* up from second children */
			i = (i - 1) / 2;
		if (i == 0)
			break;
		i++;
	}
	return n;
}
