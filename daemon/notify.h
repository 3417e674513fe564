/* What the service manager is told. Without one, or built without libsystemd, nothing happens. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base.h"

#define NOTIFY_STATUS_BYTES 256

struct notify {
	uint64_t interval_us; /* between two beats for its watchdog; 0: it has none */
	uint64_t next_at_us;
	uint64_t status_at_us; /* not before: the next status line */
	bool had_news;	       /* the last one was another than before */
	char status[NOTIFY_STATUS_BYTES];
};

void notify_init(struct notify *n);
/* Serving; with a status line for people. */
void notify_ready(const char *format, ...) printf_like(1, 2);
/* Reads its configuration anew; notify_ready() ends that. now_us is monotonic. */
void notify_reloading(uint64_t now_us);
/* On the way out; with a status line. */
void notify_stopping(const char *format, ...) printf_like(1, 2);
/* At the end of every turn of the loop: sends a beat if one is due. When to be here again at the
 * latest; UINT64_MAX: no matter. */
uint64_t notify_watchdog(struct notify *n, uint64_t now_us);
/* Is it time for a status line? Not at every turn, so that it costs nothing. */
static inline bool notify_wants_status(const struct notify *n, uint64_t now_us)
{
	return now_us >= n->status_at_us;
}
/* Sends the line if it is another one than before. */
void notify_status(struct notify *n, uint64_t now_us, const char *format, ...) printf_like(3, 4);
/* When to be here again at the latest, to tell how it went on; UINT64_MAX: nothing is going on. */
static inline uint64_t notify_status_next(const struct notify *n)
{
	return n->had_news ? n->status_at_us : UINT64_MAX;
}
