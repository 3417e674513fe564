/* Module tables: loading one, checking it, telling it on the wire. */
#pragma once

#include "daemon/worker/poold-module.h"
#include "proto/buf.h"

/* Why a module is refused: one sentence that names it. */
#define MODULES_MESSAGE_BYTES 512u

/* Loads the shared object at path, checks its table and runs its preload. The module stays loaded
 * for good. 0, or 1 with a sentence in message[MODULES_MESSAGE_BYTES]. */
must_check int modules_load(const char *path, const struct poold_module **ret, char *message);
/* NULL if there is none of that name. */
const struct poold_function *modules_find(
	const struct poold_module *module, const char *name, size_t len);
/* Packs [{name, flags, doc}, …]. */
void modules_pack_functions(struct bufpack *p, const struct poold_module *module);
