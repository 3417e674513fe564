/* Starts the other program, poold-worker, with a clean start: no fds, signals or session of ours.
 */
#pragma once

#include <sys/types.h>

#include "proto/base.h"

/* fds 0 /dev/null, 1 and 2 output, 3 control; no others. Returns the pid, or -errno (also of the
 * exec). */
must_check pid_t spawn_worker_program(
	const char *path, const char *pool, char *const *env, int control, int output);

/* Before the daemon raises its own limit of open files: what it starts gets back the one of now,
 * since programs that use select() rely on a low one. */
void spawn_remember_limits(void);
