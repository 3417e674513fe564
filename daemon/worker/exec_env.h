/* The environment of a command: the pool's, what the job adds, and what says which job it is. */
#pragma once

#include "daemon/worker/exec_strings.h"
#include "daemon/worker/job.h"

/* What exec_env_build() needs besides the input's own bytes and elements. */
size_t exec_env_text_bytes(const poold_job *job);
size_t exec_env_pointers(void);
/* env: the map of the input; at its end: none. without_pool: not the pool's. 0, or 1 with a reason.
 */
must_check int exec_env_build(struct exec_strings *s, const poold_job *job, struct cursor env,
	bool without_pool, char ***ret_envp, const char **ret_reason);
/* The value of a variable, NULL if it is not there. */
const char *exec_env_get(char *const *envp, const char *name);
