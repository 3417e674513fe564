/* What a process that runs other people's code starts from. */
#pragma once

#include <sys/types.h>

#include "proto/base.h"

/* Signals as after a fresh login: default dispositions, none blocked. */
void confine_signals(void);
/* Dies with its parent, which must be `parent`. -ESRCH if that is gone already. */
must_check int confine_to_parent(pid_t parent);
/* Waits until the process that forked this one is gone and `parent` has taken its place. 0, or
 * -ESRCH if somebody else has. */
must_check int confine_await_parent(pid_t forker, pid_t parent);
/* This user from now on, with its groups. What a change of user takes away is set again: the signal
 * at the end of the parent, and that /proc/self is one's own. */
must_check int confine_to_user(const char *name);
/* Makes exactly these the environment; each is NAME=VALUE. */
must_check int confine_environment(char *const *env, size_t n_env);
