#include "client/poolctl/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

#define GAP	     2
#define CELL_ESCAPED 1024 /* longest text of a cell that had to be escaped */

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char **cells;
	size_t n_cells;
	size_t width;
	bool failed;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t) {
		t->columns = columns;
		t->n_columns = n_columns;
		t->width = SIZE_MAX;
	}
	return t;
}

void table_free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void table_set_width(struct table *t, size_t width)
{
	t->width = width;
}

/* Labels and messages come from strangers; a terminal must not obey them. */
static void escape_cell(struct table *t)
{
	char **cell = &t->cells[t->n_cells - 1], *text = malloc(CELL_ESCAPED);

	if (!text) {
		t->failed = true;
		return;
	}
	text_escape(text, CELL_ESCAPED, *cell, strlen(*cell));
	free(*cell);
	*cell = text;
}

void table_cell(struct table *t, const char *format, ...)
{
	char **cells, *text;
	va_list args;
	int n;

	cells = reallocarray(t->cells, t->n_cells + 1, sizeof(*cells));
	if (cells)
		t->cells = cells;
	va_start(args, format);
	n = cells ? vasprintf(&text, format, args) : -1;
	va_end(args);
	if (n < 0) {
		t->failed = true;
		return;
	}
	t->cells[t->n_cells++] = text;
	if (!text_is_plain(text, (size_t)n))
		escape_cell(t);
}

/* Of a character: continuation bytes of UTF-8 take no room. */
static bool is_beginning(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

/* Characters, not bytes. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += is_beginning(*text);
	return n;
}

static size_t width_of_column(const struct table *t, size_t column, bool title)
{
	size_t width = title ? width_of(t->columns[column].title) : 0;
	size_t i, w;

	for (i = column; i < t->n_cells; i += t->n_columns) {
		w = width_of(t->cells[i]);
		if (w > width)
			width = w;
	}
	return width;
}

static void print_cell(const struct table *t, size_t column, const char *text, size_t width)
{
	int room = (int)(width - width_of(text));
	bool last = column + 1 == t->n_columns;

	if (t->columns[column].right)
		printf("%*s%s", room, "", text);
	else
		printf("%s%*s", text, last ? 0 : room, "");
	fputs(last ? "\n" : &"    "[4 - GAP], stdout);
}

/* To so many characters, the last of them an ellipsis. */
static void cut(struct table *t, char **cell, size_t width)
{
	size_t n = 0, len = 0;
	char *text;

	if (width_of(*cell) <= width)
		return;
	while ((n += is_beginning((*cell)[len])) < width)
		len++;
	if (asprintf(&text, "%.*s…", (int)len, *cell) < 0) {
		t->failed = true;
		return;
	}
	free(*cell);
	*cell = text;
}

/* What the others leave is the last one's. */
static void fit(struct table *t, const size_t *widths)
{
	size_t last = t->n_columns - 1, taken = 0;

	if (t->width == SIZE_MAX)
		return;
	for (size_t i = 0; i < last; i++)
		taken += widths[i] + GAP;
	for (size_t i = last; i < t->n_cells; i += t->n_columns)
		cut(t, &t->cells[i], taken + 8 < t->width ? t->width - taken : 8);
}

int table_print(struct table *t, bool title, bool bold)
{
	cleanup_free size_t *widths = calloc(t->n_columns, sizeof(*widths));
	size_t i, column;

	if (!widths || t->failed)
		return -ENOMEM;
	for (i = 0; i < t->n_columns; i++)
		widths[i] = width_of_column(t, i, title);
	fit(t, widths);
	if (t->failed)
		return -ENOMEM;
	if (title && bold)
		fputs("\033[1m", stdout);
	for (i = 0; title && i < t->n_columns; i++)
		print_cell(t, i, t->columns[i].title, widths[i]);
	if (title && bold)
		fputs("\033[0m", stdout);
	for (i = 0; i < t->n_cells; i++) {
		column = i % t->n_columns;
		print_cell(t, column, t->cells[i], widths[column]);
	}
	return 0;
}
