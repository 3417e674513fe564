/* The worker's control group, if its daemon has any to give. */
#pragma once

#include <stdbool.h>

#include <sys/types.h>

/* A fork() whose child is born in the group above this one. Nothing of the C library knows of it:
 * the child may fork() and _exit(). -1: it cannot. */
pid_t cgroup_fork_above(int job);
/* Joins one, by its file cgroup.procs, which is closed. That takes milliseconds. */
bool cgroup_join(int procs);
/* Directory of the one for the worker's command: taken over. */
void cgroup_set_job(int dir);
/* -1: none. */
int cgroup_job(void);
/* Kills all that is in the command's. False: there is none. */
bool cgroup_kill_job(void);
/* Nobody is in it any more: the next command gets one that nobody was killed in. */
void cgroup_renew_job(void);
