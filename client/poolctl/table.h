/* A table of text on standard output: columns as wide as their widest cell, numbers right. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"

struct table;

struct table_column {
	const char *title;
	bool right; /* a number */
};

/* columns stay the caller's. NULL without memory. */
struct table *table_new(const struct table_column *columns, size_t n_columns);
void table_free(struct table *t);
DEFINE_CLEANUP(struct table *, table_free)
/* Cells come row by row, left to right; control characters are escaped. Memory that runs out shows
 * in table_print(). */
void table_cell(struct table *t, const char *format, ...) printf_like(2, 3);
/* Lines are no longer than that: the last column, of text, is cut. */
void table_set_width(struct table *t, size_t width);
/* -ENOMEM if a cell was lost. `title` prints the titles too, bold if so told. */
must_check int table_print(struct table *t, bool title, bool bold);
