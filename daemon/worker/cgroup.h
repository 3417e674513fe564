/* The worker's control group, if its daemon has any to give. */
#pragma once

#include <stdbool.h>

/* Joins it, by a file of it (consumed), before any code of others runs. job: directory of the one for
 * its command, taken over. False: it cannot; then there is none. */
bool cgroup_join(int procs, int job);
/* -1: none. */
int cgroup_job(void);
/* Kills all that is in the command's. False: there is none. */
bool cgroup_kill_job(void);
/* Nobody is in it any more: the next command gets one that nobody was killed in. */
void cgroup_renew_job(void);
