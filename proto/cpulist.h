/* Lists of CPUs as people and the kernel write them: "0-3,8". */
#pragma once

#include <sched.h>
#include <stdbool.h>

#include "proto/base.h"

/* CPUs up to CPU_SETSIZE; false: it is no such list, or an empty one. */
must_check bool cpulist_parse(const char *text, cpu_set_t *ret);
