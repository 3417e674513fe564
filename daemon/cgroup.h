/* Control groups (version 2) below the one that was delegated to the daemon: one for each pool, below
 * it one for each worker, and in that one for the worker's command. Without delegation there are
 * none, and everything goes on without them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base.h"

struct cgroups {
	int fd;	       /* the directory of the delegated one; -1: none */
	char why[160]; /* why there is none, or no memory controller */
	bool has_memory;
};

/* A worker's. */
struct cgroup {
	int pool; /* borrowed */
	int dir;  /* -1: none */
	int job;  /* directory of its command's */
	char name[16];
	uint64_t n_oom_told; /* kills for lack of memory that were told */
};

/* path: NULL: what the service manager delegated. wants_memory: some pool has a limit. */
void cgroups_init(struct cgroups *g, const char *path, bool wants_memory);
void cgroups_deinit(struct cgroups *g);
/* The directory of a pool's: -1 if there are none. memory_max: 0: no limit. */
int cgroups_add_pool(struct cgroups *g, const char *pool, uint64_t memory_max);

/* pool: -1: there will be none. */
void cgroup_init(struct cgroup *c, int pool);
/* Removes it: nobody is in it any more. */
void cgroup_deinit(struct cgroup *c);
/* A file to write a process into it with; -1: none. The caller's. */
int cgroup_open_procs(const struct cgroup *c);
/* SIGKILL to all in it, at once. */
void cgroup_kill(const struct cgroup *c);
/* Did the kernel kill in it for lack of memory since this was asked? */
bool cgroup_was_oom(struct cgroup *c);
