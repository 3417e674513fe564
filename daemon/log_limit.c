#include "daemon/log_limit.h"

#include "daemon/core/heap.h"

#define LINES_MAX 10
#define SECOND_US 1000000ull

void log_limit_end(struct log_limit *l)
{
	if (l->n_suppressed)
		log_line(l->level, "%s%s%s: %llu more lines suppressed", l->what, l->of ? " " : "",
			l->of ? l->of : "", (unsigned long long)l->n_suppressed);
	l->n_suppressed = 0;
}

uint64_t log_limit_next_us(const struct log_limit *l)
{
	return l->n_suppressed ? l->since_us + SECOND_US : HEAP_NEVER;
}

bool log_limit_admits(struct log_limit *l, uint64_t now_us)
{
	if (now_us - l->since_us >= SECOND_US) {
		log_limit_end(l);
		l->since_us = now_us;
		l->n_lines = 0;
	}
	if (l->n_lines == LINES_MAX) {
		l->n_suppressed++;
		return false;
	}
	l->n_lines++;
	return true;
}
