/* Where final futures stand until their time to live is over. Inside the core only. */
#pragma once

#include "daemon/core/future.h"

/* Spans of time that are in use at once, about; beyond that it is a heap's matter. */
#define SHELF_ROWS 4

/* Those that go first stand first; none that is put in may go before last_us. */
struct shelf_row {
	struct futures futures;
	uint64_t last_us;
};

struct shelf {
	struct shelf_row rows[SHELF_ROWS];
};

void shelf_init(struct shelf *s);
/* f goes at this time, and stands in no other list. False: it fits into no row. */
__attribute__((warn_unused_result)) bool shelf_put(
	struct shelf *s, struct future *f, uint64_t at_us);
void shelf_take(struct shelf *s, struct future *f);
/* Who goes first; NULL. */
struct future *shelf_first(const struct shelf *s);
