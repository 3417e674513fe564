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

/* A key may be there several times. Room was reserved. */
void cl_table_add(struct cl_table *t, uint64_t key, struct cl_node *node);
/* The first one of that key; NULL if there is none. */
struct cl_node *cl_table_find(const struct cl_table *t, uint64_t key);
/* The same, and takes it out. */
struct cl_node *cl_table_take(struct cl_table *t, uint64_t key);
/* It stands there. */
void cl_table_remove(struct cl_table *t, struct cl_node *node);
/* Any one, which is taken out; NULL if there is none. From `*at` on, 0 at first: to take out all. */
struct cl_node *cl_table_take_any(struct cl_table *t, size_t *at);
