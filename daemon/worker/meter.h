/* What a run takes: time, processor, memory. */
#pragma once

#include <sys/resource.h>

#include "proto/buf.h"

struct meter {
	uint64_t started_us; /* CLOCK_MONOTONIC */
	uint64_t run_us;
	uint64_t cpu_us;
	uint64_t rss_kib; /* afterwards */
	uint64_t copied;  /* bytes of payload */
};

/* What is known across the runs of this worker. */
struct meter_base {
	uint64_t cpu_us; /* of this process when last asked */
	uint64_t rss_kib;
	unsigned n_since_rss; /* short runs so far */
	bool is_fresh;	      /* asked since the last run */
	bool is_long_running; /* the last run was long enough to be worth asking */
};

uint64_t meter_now_us(void);
static inline uint64_t meter_timeval_us(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000u + (uint64_t)tv->tv_usec;
}
/* Before the first one: what this process has in memory, 0: not known. */
uint64_t meter_begin(struct meter_base *base);
/* Before and after a run; now_us is the time as just read. */
void meter_start(struct meter *m, struct meter_base *base, uint64_t now_us);
void meter_stop(struct meter *m, struct meter_base *base, uint64_t now_us);
/* Processor time and memory of a command take the place of the worker's own. */
void meter_set_rusage(struct meter *m, const struct rusage *ru);
/* What this process has in memory now; 0: not known. */
uint64_t meter_rss_kib(void);
/* Room for METER_BYTES. */
uint8_t *meter_encode(uint8_t *at, const struct meter *m);
#define METER_BYTES (1 + 7 + 7 + 8 + 7 + 11 + 5 * ENCODE_UINT_BYTES)
