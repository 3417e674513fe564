/* Durations, and what stands in their middle and at their edge. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct sample {
	uint64_t *ns;
	size_t n, size;
};

static inline uint64_t sample_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline struct sample sample_new(size_t size)
{
	struct sample s = {.ns = calloc(size, sizeof(*s.ns)), .size = size};

	if (!s.ns)
		abort();
	return s;
}

static inline void sample_add(struct sample *s, uint64_t ns)
{
	if (s->n < s->size)
		s->ns[s->n++] = ns;
}

static inline int sample_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Whatever took this long had to fill memory. What it leaves behind is freed some ms later
 * (daemon/closer.c), and would take half as long again from what comes next; so a longer pause
 * follows, of floors as of poold: else the scheduler tells them apart. */
static inline void sample_pause(uint64_t ns)
{
	uint64_t pause_ns = ns + 15000000;
	const struct timespec t = {.tv_sec = (time_t)(pause_ns / 1000000000),
		.tv_nsec = (long)(pause_ns % 1000000000)};

	if (ns >= 1000000)
		nanosleep(&t, NULL);
}

/* The first tenth warms up, and does not count. Sorts. */
static inline double sample_us(struct sample *s, unsigned percent)
{
	uint64_t *from = s->ns + s->n / 10;
	size_t n = s->n - s->n / 10;

	qsort(from, n, sizeof(*from), sample_compare);
	return (double)from[n * percent / 100] / 1e3;
}

/* Behind p50 and p99 another figure; NULL: none. Frees the sample. */
static inline void sample_print_with(struct sample *s, const char *name, double value)
{
	printf("{\"p50_us\": %.2f, \"p99_us\": %.2f", sample_us(s, 50), sample_us(s, 99));
	if (name)
		printf(", \"%s\": %.2f", name, value);
	puts("}");
	free(s->ns);
}

static inline void sample_print(struct sample *s)
{
	sample_print_with(s, NULL, 0);
}
