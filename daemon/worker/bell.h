/* The bell: SIGTERM, which tells a worker to look at its link. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base.h"

/* Wait without an end. */
#define BELL_FOREVER UINT64_MAX

must_check int bell_init(void);
/* Did it ring since the last time this was asked? */
bool bell_rang(void);
/* poll() that the bell interrupts, also one that rang just before. Number of ready fds, 0 when the
 * time is over, -EINTR (bell or another signal), -errno. */
must_check int bell_poll(struct pollfd *fds, unsigned n_fds, uint64_t timeout_us);

/* From now on signals that a client sends to the job are noted, in place of killing this process.
 */
must_check int bell_pass_signals(void);
/* Those for this job since the last call, bit signo - 1; those for others are forgotten. */
uint64_t bell_passed(uint64_t id);
