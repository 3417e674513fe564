/* The pools of a core. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* Frees removed ones that nobody uses. */
void pools_sweep(struct core *c);
/* Frees all; no future is left. */
void pools_clear(struct core *c);
