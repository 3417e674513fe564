/* Log lines that somebody else can cause as often as he likes: so many a second are written, the
 * rest is counted and told in one line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/log.h"

struct log_limit {
	enum log_level level;
	const char *what; /* the lines are about; borrowed */
	const char *of;	  /* NULL, or a name behind it; borrowed */
	uint64_t since_us;
	unsigned n_lines; /* since then */
	uint64_t n_suppressed;
};

/* May one more be written? */
bool log_limit_admits(struct log_limit *l, uint64_t now_us);
/* When to tell how many were suppressed; HEAP_NEVER: none. */
uint64_t log_limit_next_us(const struct log_limit *l);
/* Tells it, if any were. */
void log_limit_end(struct log_limit *l);
