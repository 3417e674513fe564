/* The notification `event` [watch, ID, kind, map], put together. */
#pragma once

#include "daemon/conn.h"
#include "daemon/core/core.h"
#include "proto/outcome.h"

/* To whom, and about what. */
struct watch_event {
	struct conn *conn;
	uint64_t watch;
	uint64_t id;
};

void watch_event_state(const struct watch_event *e, enum future_state state, unsigned attempt);
/* What its extra says of it. */
void watch_event_progress(const struct watch_event *e, const struct future *f);
void watch_event_output(
	const struct watch_event *e, int stream, uint64_t offset, const void *bytes, size_t n);
void watch_event_dropped(const struct watch_event *e, uint64_t n);
void watch_event_final(const struct watch_event *e, struct future *f);
/* Of an ID that is not there. */
void watch_event_unknown(const struct watch_event *e, enum outcome_code code);
