/* From a number to what waits for it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base.h"

struct cl_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

struct cl_table {
	struct cl_slot *slots;
	size_t size; /* 0 or a power of two */
	size_t n;
};

void cl_table_deinit(struct cl_table *t);
/* Makes room for n more, so that this many cl_table_add() cannot fail. */
must_check int cl_table_reserve(struct cl_table *t, size_t n);
/* A key may be there several times. Room was reserved. */
void cl_table_add(struct cl_table *t, uint64_t key, void *value);
/* NULL if there is none. */
void *cl_table_find(const struct cl_table *t, uint64_t key);
/* Takes one of that key out. NULL if there is none. */
void *cl_table_take(struct cl_table *t, uint64_t key);
void cl_table_remove(struct cl_table *t, uint64_t key, void *value);
