/* The loop's next deadline, to the microsecond: libevent's own timers would cost a call of the
 * kernel in each turn, or wait in milliseconds. */
#pragma once

#include <event2/event.h>
#include <stdint.h>

#include "proto/base.h"

struct deadline {
	int fd; /* a timerfd; -1: none */
	struct event *event;
	uint64_t armed_us; /* HEAP_NEVER: it has rung, or was never set */
};

#define DEADLINE_NONE ((struct deadline){.fd = -1})

/* 0, -errno: then it is none. */
must_check int deadline_init(struct deadline *d, struct event_base *base);
/* Also of none. */
void deadline_deinit(struct deadline *d);
/* The loop wakes up at this time at the latest; perhaps earlier, at one that was asked for before.
 */
void deadline_set(struct deadline *d, uint64_t at_us);
