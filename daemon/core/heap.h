/* What comes first: a heap of nodes, each embedded in the object that it stands for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_NEVER UINT64_MAX
#define HEAP_WIDTH 4u /* nodes below each */

struct heap_node {
	uint64_t key;	/* smaller comes first: a time in µs, or a rank */
	uint64_t order; /* among equal keys, smaller comes first */
	uint32_t pos;	/* 1 + place in the heap; 0: in none */
	uint32_t owner; /* of the embedder's choice: what kind of object it is */
};

/* The key stands beside the pointer, so that comparing seldom has to look at the node itself. */
struct heap_entry {
	uint64_t key;
	struct heap_node *node;
};

struct heap {
	struct heap_entry *entries;
	uint32_t n;
	uint32_t size;
};

/* A time after another, never before it: HEAP_NEVER rather than a wrap around. */
static inline uint64_t heap_after(uint64_t now_us, uint64_t span_us)
{
	return span_us < HEAP_NEVER - now_us ? now_us + span_us : HEAP_NEVER;
}

void heap_deinit(struct heap *h);
/* Room for n nodes in all, so that heap_set() cannot fail. -ENOMEM. */
__attribute__((warn_unused_result)) int heap_reserve(struct heap *h, uint32_t n);
/* Puts a node in, or moves it. Room was reserved. */
void heap_set(struct heap *h, struct heap_node *node, uint64_t key, uint64_t order);
/* Takes all out. */
void heap_empty(struct heap *h);
/* Takes a node out; one that is in no heap is fine. */
void heap_clear(struct heap *h, struct heap_node *node);
/* Whether a comes before b. */
static inline bool heap_before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* The keys of its nodes were changed where they are. */
void heap_rebuild(struct heap *h);
/* How many nodes come before this one, which need not be in the heap; counted up to `most`, at
 * O(that number). */
uint32_t heap_count_before(const struct heap *h, const struct heap_node *node, uint32_t most);
/* The place whose node comes before that of place i > 0. */
static inline uint32_t heap_above(uint32_t i)
{
	return (i - 1) / HEAP_WIDTH;
}

/* The first node, or NULL. */
static inline struct heap_node *heap_first(const struct heap *h)
{
	return h->n ? h->entries[0].node : NULL;
}
