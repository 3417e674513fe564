/* Which IDs are in use, in their order: what goes through all futures asks here. Inside the core
 * only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* 64 IDs side by side. */
struct roll_leaf {
	uint64_t block; /* ID / 64 */
	uint64_t bits;	/* which of them are in use */
};

/* All zero: nothing is in use. */
struct roll {
	struct roll_leaf *leaves; /* by block; between the first and the last some may be empty */
	uint32_t n, size;
	uint32_t n_empty;
	uint32_t at; /* where the last search ended: the next one mostly ends there, too */
};

void roll_deinit(struct roll *r);
/* Room for one more ID, so that roll_add() cannot fail. -ENOMEM. */
__attribute__((warn_unused_result)) int roll_reserve(struct roll *r);
/* One above all that were ever added. Room was reserved. */
void roll_add(struct roll *r, uint64_t id);
/* One that is in use. */
void roll_remove(struct roll *r, uint64_t id);
/* The nearest one in use below this ID, or above it; 0: none. */
uint64_t roll_older(struct roll *r, uint64_t id);
uint64_t roll_newer(struct roll *r, uint64_t id);
