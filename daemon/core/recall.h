/* Which jobs are taken back out of workers' inboxes, though nobody asked for their end. */
#pragma once

#include "daemon/core/core.h"

/* Its running job takes longer than others should wait behind it, or is expected to. */
bool recall_runs_late(const struct slot *s, uint64_t now_us);
/* What lies behind jobs that run late. */
void recall_late(struct pool *p, uint64_t now_us);
/* What lies behind running jobs, for idle workers. */
void recall_for_idle(struct pool *p, uint64_t now_us);
/* What should have been received long ago. */
void recall_unheard(struct pool *p, uint64_t now_us);
