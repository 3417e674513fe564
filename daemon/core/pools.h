/* The pools of a core, those that were removed behind the others. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

struct pool *pools_first(struct core *c);
struct pool *pools_next(struct pool *p);
/* Frees removed ones that nobody uses. */
void pools_sweep(struct core *c);
/* Frees all; no future is left. */
void pools_clear(struct core *c);
