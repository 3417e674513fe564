/* Starting a command. */
#pragma once

#include <sys/types.h>

#include "daemon/worker/exec_spec.h"

enum exec_step {
	EXEC_STEP_SET_UP, /* process group, standard fds */
	EXEC_STEP_CTTY,
	EXEC_STEP_NICE,
	EXEC_STEP_LIMIT,
	EXEC_STEP_CWD,
	EXEC_STEP_EXEC,
};

/* Which step failed in the new process, before it was the command. */
struct exec_failure {
	enum exec_step step;
	int error;	/* errno; 0: none failed */
	unsigned limit; /* index in the spec's limits */
};

struct exec_child {
	pid_t pid;			    /* and its process group */
	int pidfd;			    /* readable when it has ended */
	const struct exec_failure *failure; /* of the newest child; settled when it has ended */
};

/* fds: what becomes 0, 1, 2; -1: the worker's own. 0, and the child is to be waited for even if a
 * step failed; or -errno: there is no child. */
must_check int exec_spawn(struct exec_spec *s, const int fds[3], struct exec_child *ret);
