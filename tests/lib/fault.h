/* Memory that runs out on purpose. Programs that use it are linked with fault_ldflags
 * (tests/unit/core.am). */
#pragma once

#include <stdbool.h>

/* The n-th allocation from now on fails, once (1: the next). */
void fault_alloc_at(unsigned n);
/* Every allocation fails with a probability of 1 : n, decided by a seed. */
void fault_alloc_rate(unsigned n, unsigned long long seed);
/* No more of that. Has one failed? To be called before anything else is asserted: the test library
 * allocates too. */
bool fault_end(void);
