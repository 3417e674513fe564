/* Children of the daemon: the known ones by pidfd, and strangers, whom dead workers left behind. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "proto/base.h"

/* A child that we know: a zygote or a worker. Embedded. */
struct process {
	pid_t pid; /* 0: none */
	int pidfd;
	LIST_ENTRY(process) in_bucket;
};

LIST_HEAD(processes, process);

#define REAPER_BUCKETS	256
#define REAPER_GIVEN_UP 32

struct reaper {
	struct processes known[REAPER_BUCKETS]; /* by pid */
	struct event *sigchld;
	bool want_sweep;		 /* a child died since the last sweep */
	bool is_blind;			 /* no list of children to be had: said once */
	pid_t given_up[REAPER_GIVEN_UP]; /* strangers that do not die */
	unsigned n_given_up;
};

/* Makes this process the reaper of all its descendants' orphans. */
must_check int reaper_init(struct reaper *r, struct event_base *base);
void reaper_deinit(struct reaper *r);

/* Knows the child from now on. -ECHILD: it is none of ours; -EEXIST: it is known already. */
must_check int process_open(struct process *p, struct reaper *r, pid_t pid);
/* Sends a signal; a process that is dead or none is fine. */
void process_signal(const struct process *p, int signo);
/* Sends a signal with a value. 0, or -errno. */
must_check int process_queue(const struct process *p, int signo, uintptr_t value);
/* Waits for nothing: 0 and the wait status, and it is known no more; -EAGAIN: it lives. */
must_check int process_reap(struct process *p, int *ret_status, struct rusage *ret_usage);

/* Both only while no fork request is pending: an unknown child might be a worker not reported yet.
 */
/* Reaps strangers that are dead. */
void reaper_sweep(struct reaper *r);
/* Kills and reaps strangers; true: none is left. False: come back when a child has died. */
must_check bool reaper_settle(struct reaper *r);
/* What is left now is let be. Returns how many. */
unsigned reaper_give_up(struct reaper *r);
