/* From a number to what waits for it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base.h"

/* In what waits; the table's while it stands there. */
struct cl_node {
	struct cl_node *next;
	uint64_t key;
};

struct cl_table {
	struct cl_node **chains;
	size_t size; /* 0 or a power of two */
	size_t n;
};

/* The nodes are as if they had been taken out. */
void cl_table_deinit(struct cl_table *t);
must_check int cl_table_grow(struct cl_table *t, size_t n);
/* Makes room for n more, so that this many cl_table_add() cannot fail. */
must_check static inline int cl_table_reserve(struct cl_table *t, size_t n)
{
	return n <= t->size - t->n ? 0 : cl_table_grow(t, n);
}

/* A chain for each run of keys that differ in their last CL_RUN_BITS only. */
#define CL_RUN_BITS 10
static inline struct cl_node **cl_table_chain(const struct cl_table *t, uint64_t key)
{
	uint64_t scattered = (key >> CL_RUN_BITS) * 0x9e3779b97f4a7c15u >> 32;

	return &t->chains[(key + scattered) & (t->size - 1)];
}

/* Where the first one of that key hangs, or the end of its chain. The table was not empty once. */
static inline struct cl_node **cl_table_place(const struct cl_table *t, uint64_t key)
{
	struct cl_node **at = cl_table_chain(t, key);

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

/* A key may be there several times. Room was reserved. */
static inline void cl_table_add(struct cl_table *t, uint64_t key, struct cl_node *node)
{
	struct cl_node **at = cl_table_chain(t, key);

	while (*at)
		at = &(*at)->next;
	*at = node;
	node->next = NULL;
	node->key = key;
	t->n++;
}

/* The first one of that key; NULL if there is none. */
static inline struct cl_node *cl_table_find(const struct cl_table *t, uint64_t key)
{
	return t->n > 0 ? *cl_table_place(t, key) : NULL;
}

static inline struct cl_node *cl_table_take_at(struct cl_table *t, struct cl_node **at)
{
	struct cl_node *node = *at;

	if (node) {
		*at = node->next;
		t->n--;
	}
	return node;
}

/* The same, and takes it out. */
static inline struct cl_node *cl_table_take(struct cl_table *t, uint64_t key)
{
	return t->n > 0 ? cl_table_take_at(t, cl_table_place(t, key)) : NULL;
}

/* It stands there. */
void cl_table_remove(struct cl_table *t, struct cl_node *node);
/* Any one, which is taken out; NULL if there is none. From `*at` on, 0 at first: to take out all.
 */
struct cl_node *cl_table_take_any(struct cl_table *t, size_t *at);
