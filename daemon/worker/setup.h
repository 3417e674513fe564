/* What the daemon tells a new zygote: the request `setup`. */
#pragma once

#include <stdbool.h>

#include "proto/cursor.h"

enum setup_handler {
	SETUP_MODULE,
	SETUP_EXEC,
};

/* Owns its strings. */
struct setup {
	char *pool;
	enum setup_handler handler;
	char *module; /* path, for SETUP_MODULE */
	char *cwd;    /* NULL: as it is */
	bool has_env;
	char **env; /* NAME=VALUE */
	size_t n_env;
	uint64_t output_bytes; /* of each stream of a command */
};

/* c stands on the map. 0, or 1 with a sentence in message[size]. Undo with setup_deinit() in either
 * case. */
must_check int setup_parse(struct setup *s, struct cursor *c, char *message, size_t size);
void setup_deinit(struct setup *s);
/* Working directory and environment. As setup_parse(). */
must_check int setup_apply(const struct setup *s, char *message, size_t size);
