/* What the daemon tells a new zygote: the request `setup`. */
#pragma once

#include <stdbool.h>

#include "daemon/worker/resource.h"
#include "proto/cursor.h"

enum setup_handler {
	SETUP_MODULE,
	SETUP_EXEC,
};

/* Resources that there are names of, and some. */
#define SETUP_LIMITS 16u

struct setup_limit {
	const struct resource *of;
	uint64_t value; /* UINT64_MAX: none */
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
	char *user;	    /* NULL: as it is */
	char *cpu_affinity; /* likewise */
	bool has_nice;
	int nice;
	struct setup_limit limits[SETUP_LIMITS];
	unsigned n_limits;
	uint64_t output_bytes; /* of each stream of a command */
	uint64_t cache_bytes;  /* of other futures' values that a worker keeps between runs */
};

/* c stands on the map. 0, or 1 with a sentence in message[size]. Undo with setup_deinit() in either
 * case. */
must_check int setup_parse(struct setup *s, struct cursor *c, char *message, size_t size);
void setup_deinit(struct setup *s);
/* What the pool asks of its processes: user and limits, working directory, environment. As
 * setup_parse(). */
must_check int setup_apply(const struct setup *s, char *message, size_t size);
