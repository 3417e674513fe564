/* The workers of fuzz_request: a shell without processes. */
#pragma once

#include "daemon/core/core.h"

enum {
	CREW_POOLS = 2,
	CREW_WORKERS = 2, /* of each */
};

/* What workers do. Bit 1: the first of the line was not received either; 2: the job fails, 3: by
 * its function; 4: it has an output; 5: it tells its progress; 6 and 7: links take nothing. */
extern uint8_t crew_behaviour;
/* What commands print: kept as their output. */
extern int crew_output;

extern const struct core_ops crew_ops;

/* Each worker does one step, and the core hears of it. */
void crew_work(void);
