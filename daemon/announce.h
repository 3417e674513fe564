/* The table of functions that a zygote or a worker announces: [{name, flags, doc}, …]. */
#pragma once

#include <stdbool.h>

#include "daemon/core/pool.h"
#include "proto/base.h"
#include "proto/cursor.h"

enum { ANNOUNCE_E_TABLE = 1 }; /* it is none; *ret_reason says why (static text) */

/* The cursor stands on the array. Only looks. 0 or ANNOUNCE_E_TABLE. */
must_check int announce_check(struct cursor table, const char **ret_reason);
/* Checks, then makes it the pool's table. Also -ENOMEM: then the pool's table is not whole. */
must_check int announce_apply(struct cursor table, struct pool *p, const char **ret_reason);
