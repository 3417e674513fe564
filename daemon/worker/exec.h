/* Handler `exec`: its one function runs a command. */
#pragma once

#include <stdint.h>

#include "daemon/worker/poold-module.h"

/* The handler as a module that is built in. output_bytes: of each stream of a command, what is
 * kept. */
const struct poold_module *exec_handler(uint64_t output_bytes);
