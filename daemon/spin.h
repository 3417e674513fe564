/* Looking for events for a moment before sleeping: what comes within it needs no waking up. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base.h"

struct spin {
	unsigned n_cpus;   /* that the daemon may run on */
	bool is_on;	   /* the next wait begins with a spin */
	unsigned n_short;  /* short sleeps in a row, while it is off */
	unsigned n_wanted; /* so many turn it on */
	unsigned balance;  /* what spins in vain may still cost, while it is on */
	uint64_t n_spins, n_vain;
};

void spin_init(struct spin *s);
/* What came of a wait: a sleep of so long, while it was off; a spin, until an event came or in vain,
 * whose last look began after so long. */
void spin_note_sleep(struct spin *s, uint64_t took_us, uint64_t most_us);
void spin_note_spin(struct spin *s, bool has_come, uint64_t took_us, uint64_t most_us);
/* Whether a wait may begin with a spin while so many workers run jobs: only if there is a CPU that
 * none of them needs. */
bool spin_may_be(const struct spin *s, unsigned n_running, uint64_t most_us);
/* Waits for events and handles them: perhaps spins, at most so long (0: never), then sleeps. 0, or
 * -1: the loop failed. */
must_check int spin_wait(
	struct spin *s, struct event_base *base, unsigned n_running, uint64_t most_us);
