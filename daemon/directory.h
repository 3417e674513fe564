/* Directories that poold keeps its own files in. */
#pragma once

#include <sys/types.h>

#include "proto/base.h"

enum {
	DIRECTORY_E_UNSAFE = 1, /* others could exchange what lies in it: *ret_reason says how */
};

/* Opens the directory, making it and what is missing above it with this mode whatever the umask.
 * Who owns it must be this uid or root, and nobody else may write to it. *ret_reason is static
 * text. 0, DIRECTORY_E_UNSAFE, -errno. */
must_check int directory_open(const char *path, mode_t mode, int *ret_fd, const char **ret_reason);
