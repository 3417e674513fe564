/* A lock file: who holds it is alone in a place, until its process ends. */
#pragma once

#include <sys/types.h>

#include "proto/base.h"

enum {
	LOCKFILE_E_HELD = 1, /* by *ret_pid (0: it did not say) */
};

/* Opens or makes the file `name` in the directory, private to this uid, and locks it without
 * waiting. The lock lasts as long as *ret_fd is open; the file stays, since removing it would let
 * two hold it. 0, LOCKFILE_E_HELD, -ELOOP (a symbolic link), -errno. */
must_check int lockfile_take(int dirfd, const char *name, int *ret_fd, pid_t *ret_pid);
