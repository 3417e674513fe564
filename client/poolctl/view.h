/* Answers of the daemon, decoded to JSON, as tables and lists for people, and as documents for
 * programs. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base.h"

enum view_kind {
	VIEW_TEXT,
	VIEW_NUMBER,
	VIEW_SPAN,  /* seconds */
	VIEW_AGE,   /* unix nanoseconds, shown as the time since then */
	VIEW_SIZE,  /* bytes */
	VIEW_SHARE, /* of 1, shown as a percentage */
};

struct view_field {
	const char *title;
	const char *path; /* "timing.run" goes into a map */
	enum view_kind kind;
};

/* The element at a path, borrowed; NULL if there is none. */
const json_t *view_find(const json_t *map, const char *path);
/* A line per map; what a map has not is "-". */
must_check int view_table(
	const json_t *maps, const struct view_field *fields, size_t n, bool legend);
/* The same, and what is longer than a line of so many characters is cut in the last column. */
must_check int view_table_within(
	const json_t *maps, const struct view_field *fields, size_t n, bool legend, size_t width);
/* Makes of a map that the daemon gave what poolctl promises: times as RFC 3339 texts and again in
 * ns, an error as {code, message, details}. */
must_check int view_tidy_all(const json_t *maps);
/* Tidied first: a document, or a line per scalar, its path in front. */
must_check int view_map(json_t *map, bool json);
/* "done", "failed (exit)". */
const char *view_state(const json_t *info, char *text, size_t size);
