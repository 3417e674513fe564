/* What the service manager is told. Without one, or built without libsystemd, nothing happens. */
#pragma once

#include <stdint.h>

#include "proto/base.h"

struct notify {
	uint64_t interval_us; /* between two beats for its watchdog; 0: it has none */
	uint64_t next_at_us;
};

void notify_init(struct notify *n);
/* Serving; with a status line for people. */
void notify_ready(const char *format, ...) printf_like(1, 2);
/* On the way out; with a status line. */
void notify_stopping(const char *format, ...) printf_like(1, 2);
/* At the end of every turn of the loop: sends a beat if one is due. When to be here again at the
 * latest; UINT64_MAX: no matter. */
uint64_t notify_watchdog(struct notify *n, uint64_t now_us);
