/* Time, read in one place so that the rest can be told it. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Monotonic: for everything that is waited for or measured. */
static inline uint64_t clock_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* The same as of the system's last tick, some ms ago at most: costs a quarter of it. */
static inline uint64_t clock_tick_us(void)
{
	return clock_us(CLOCK_MONOTONIC_COARSE);
}

/* A monotonic time as µs since 1970: the same whenever it is asked for, until somebody sets the
 * clock. */
uint64_t clock_unix_us(uint64_t at_us);
