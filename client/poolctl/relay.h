/* Bytes between a file that a command cannot have and a pipe that it can: a process of its own
 * copies them, so that nobody waits for anybody. */
#pragma once

#include <sys/types.h>

#include "proto/base.h"

/* What is read from `from` goes into the pipe whose other end is *ret_end; the caller owns it. The
 * process, or -errno. */
must_check pid_t relay_from(int from, int *ret_end);
/* What comes out of the pipe whose end to write is *ret_end goes to `to`. */
must_check pid_t relay_to(int to, int *ret_end);
/* Everything that was written into the pipe has arrived, or cannot: 0, or -errno of the write; with
 * -EINTR it was given up since signal_fd (-1: none) became readable. */
must_check int relay_finish(pid_t pid, int signal_fd);
/* Whatever comes now is wanted by nobody. */
void relay_stop(pid_t pid);
