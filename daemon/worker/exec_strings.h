/* The strings of one command and the arrays that point to them, in memory that the next one uses
 * again. */
#pragma once

#include "proto/cursor.h"

struct exec_strings {
	char *text;
	size_t text_size, text_len;
	char **pointers;
	size_t n_pointers, pointers_size;
};

/* Drops all strings and makes room for so many; what is added then must fit. */
must_check int exec_strings_reserve(struct exec_strings *s, size_t text_bytes, size_t n_pointers);
void exec_strings_deinit(struct exec_strings *s);
/* Where the next pointer goes. */
static inline char **exec_strings_here(const struct exec_strings *s)
{
	return s->pointers + s->n_pointers;
}
void exec_strings_add_pointer(struct exec_strings *s, const char *p);
/* Appends bytes; where they begin. */
char *exec_strings_add_text(struct exec_strings *s, const char *text, size_t len);
/* Copies the text at the cursor, with a NUL behind it. NULL if it is none, or has a NUL inside. */
char *exec_strings_copy(struct exec_strings *s, struct cursor *c);
