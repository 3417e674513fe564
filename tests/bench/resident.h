/* How much memory a daemon has. */
#pragma once

#include <stdint.h>

/* Its own pages that are there, in bytes: heap and stacks, neither shared memory nor what the
 * kernel holds for its sockets. */
uint64_t resident_bytes(const char *socket);
