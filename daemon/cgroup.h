/* Control groups (version 2) below the one that was delegated to the daemon: one for each pool,
 * below it one for each worker, and in that one for the worker's command. Without delegation there
 * are none, and everything goes on without them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base.h"

struct cgroups {
	int fd;	       /* the directory of the delegated one; -1: none */
	char why[160]; /* why there is none, or no memory controller */
	bool has_memory;
};

/* A pool's. */
struct cgroup_pool {
	int dir;    /* -1: none */
	int zygote; /* directory of its zygote's, if its memory is limited; -1: none */
	uid_t uid;  /* of its processes, if they are not the daemon's; -1 */
	gid_t gid;
	uint64_t n_oom_told; /* as of a worker's */
};

/* A worker's. */
struct cgroup {
	int pool; /* borrowed: its directory */
	int dir;  /* -1: none */
	int job;  /* directory of its command's */
	char name[16];
	uint64_t n_oom_told; /* kills for lack of memory that were told */
};

/* path: NULL: what the service manager delegated. wants_memory: some pool has a limit. */
void cgroups_init(struct cgroups *g, const char *path, bool wants_memory);
void cgroups_deinit(struct cgroups *g);
/* The directory of a pool's, made if it is not there. user: who its processes run as, NULL: as the
 * daemon. */
void cgroups_open_pool(
	const struct cgroups *g, const char *pool, const char *user, struct cgroup_pool *ret);
/* Kills and removes what an earlier daemon left in it. */
void cgroup_pool_clear(const struct cgroup_pool *p);
/* For the zygote of a pool whose memory is limited: what it loads counts. After the clearing. */
void cgroups_open_zygote(const struct cgroups *g, struct cgroup_pool *p);
/* memory_max: 0: no limit. */
void cgroups_limit_pool(
	const struct cgroups *g, struct cgroup_pool *p, const char *pool, uint64_t memory_max);
void cgroup_pool_deinit(struct cgroup_pool *p);
/* A file to write its zygote into it with; -1: none. The caller's. */
int cgroup_pool_open_procs(const struct cgroup_pool *p);
/* Was its zygote killed for lack of memory since this was asked? */
bool cgroup_pool_was_oom(struct cgroup_pool *p);

void cgroup_init(struct cgroup *c, const struct cgroup_pool *p);
/* Removes it: nobody is in it any more. */
void cgroup_deinit(struct cgroup *c);
/* A file to write a process into it with; -1: none. The caller's. */
int cgroup_open_procs(const struct cgroup *c);
/* SIGKILL to all in it, at once. */
void cgroup_kill(const struct cgroup *c);
/* Did the kernel kill in it for lack of memory since this was asked? */
bool cgroup_was_oom(struct cgroup *c);
