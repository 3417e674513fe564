/* The options of a request: a table of keys, each with the reader of its value. */
#pragma once

#include "daemon/request.h"

struct option {
	const char *key;
	/* Reads the value at r->params into `into`. False: it was refused. */
	bool (*read)(struct request *r, const char *key, void *into);
	size_t offset; /* of `into` in the struct that option_read() is given */
};

#define OPTION(key, reader, type, member)                                                          \
	{                                                                                          \
		key, reader, offsetof(type, member)                                                \
	}

/* The next parameter, if there is one, is nil or a map of these options (32 at most), each once.
 * False: it was refused, and some of `into` may be set. */
must_check bool option_read(
	struct request *r, const struct option *options, size_t n_options, void *into);
/* For readers: "option KEY: WANTED is wanted". Returns false. */
bool option_refuse(struct request *r, const char *key, const char *wanted);

/* Readers; `into` is a */
bool option_timeout(
	struct request *r, const char *key, void *into); /* uint64_t, µs; nil: unchanged */
bool option_time(struct request *r, const char *key, void *into);   /* the same, and not 0 */
bool option_bool(struct request *r, const char *key, void *into);   /* bool */
bool option_number(struct request *r, const char *key, void *into); /* uint64_t */
bool option_text(struct request *r, const char *key, void *into);   /* struct text_view */

/* Points into the message. */
struct text_view {
	const char *text; /* NULL: not given */
	size_t len;
};
