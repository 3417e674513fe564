/* Where map's arguments come from: the words behind ":::", or standard input. */
#pragma once

#include <stdbool.h>

#include "proto/buf.h"

/* The longest argument on standard input. */
#define MAP_SOURCE_ARGUMENT_BYTES (1024u * 1024u)

enum {
	MAP_SOURCE_ONE = 0,  /* here is one */
	MAP_SOURCE_WAIT = 1, /* standard input must be read first */
	MAP_SOURCE_END = 2,  /* there are no more */
};

struct map_source {
	char **words; /* NULL: standard input */
	size_t n_words, next;
	char end; /* of an argument on standard input */
	struct buf buf;
	bool is_at_end;
};

/* words are borrowed. */
void map_source_init_words(struct map_source *s, char **words, size_t n);
void map_source_init_stdin(struct map_source *s, char end);
void map_source_deinit(struct map_source *s);
/* A MAP_SOURCE_ and *ret (free() it), or -errno. */
must_check int map_source_next(struct map_source *s, char **ret);
/* Reads once from standard input; does not block if poll() said so. 0 or -errno (-E2BIG: an
 * argument is too long). */
must_check int map_source_read(struct map_source *s);
/* How many there are in all; 0: not known. */
size_t map_source_total(const struct map_source *s);
