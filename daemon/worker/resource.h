/* The names of resource limits, as in the input of a command and in the keys of a pool. */
#pragma once

#include <stddef.h>

struct resource {
	const char *name;
	int number; /* of setrlimit() */
};

/* NULL: there is none of that name. */
const struct resource *resource_find(const char *name, size_t len);
