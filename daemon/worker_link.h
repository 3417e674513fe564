/* A worker as the daemon sees it: its process, and both ends of its SEQPACKET pair. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/cgroup.h"
#include "daemon/core/core.h"
#include "daemon/output.h"
#include "daemon/reaper.h"
#include "proto/base.h"
#include "proto/buf.h"
#include "proto/fdpass.h"

enum link_state {
	LINK_FORKING,  /* the zygote was asked; no process yet */
	LINK_STARTING, /* a process; not ready yet */
	LINK_OPEN,
	LINK_BROKEN, /* it broke the protocol, and was killed: nothing it sent counts any more */
	LINK_CLOSED, /* both ends are closed: it goes */
	LINK_DEAD,   /* its death path is to be gone */
	_LINK_STATE_MAX,
};

struct zygote;
struct worker_link;
TAILQ_HEAD(worker_links, worker_link);

/* What all links share. */
struct links {
	struct event_base *base;
	struct core *core;
	struct reaper *reaper;
	struct worker_links all;
	struct worker_links dead; /* LINK_DEAD */
	unsigned n;		  /* in both */
	unsigned n_made;
	struct incoming_packets *spare; /* memory to receive into; NULL: in use */
	struct buf send;		/* head and meta of the packet being sent */
};

struct incoming_packets;

/* Packets that are being read. Lies in the link, so that whoever is called meanwhile can read on.
 */
struct incoming {
	struct incoming_packets *packets; /* NULL: none */
	unsigned n, at;			  /* received; the first of them that is not read up */
	size_t pos;			  /* in that one, of the next message */
	unsigned n_last;		  /* how many came the last time */
	uint64_t now_us;		  /* when they were received */
};

struct worker_link {
	struct links *links;
	unsigned number; /* of all links that there ever were */
	struct slot *slot;
	struct zygote *zygote; /* that forks it; outlives it */
	enum link_state state;
	bool was_ready;
	bool is_broken;	 /* by breaking the protocol */
	bool was_killed; /* by us */
	bool want_kill;	 /* as soon as there is a process */
	bool is_shared;	 /* it ran jobs of several uids: its output is nobody's to see */
	bool has_run;	 /* jobs of uid */
	uint32_t uid;
	struct process process;
	pid_t pid; /* also after it was reaped; 0: there never was one */
	int status;
	struct rusage usage;
	int fd;	  /* ours */
	int twin; /* a duplicate of the worker's end, to take back with */
	struct event *on_packet;
	struct event *on_death;
	struct event *on_late; /* it should have been ready */
	struct incoming in;
	uint32_t output_msgid;	 /* the run that told of its output last */
	unsigned output_streams; /* which of its streams, as bits */
	struct cgroup cgroup;
	bool was_oom; /* it, or one of its processes, was killed for lack of memory */
	struct output output;
	TAILQ_ENTRY(worker_link) in_list;
};

int links_init(
	struct links *all, struct event_base *base, struct core *core, struct reaper *reaper);
/* Frees the links that are left; their processes are reaped. */
void links_deinit(struct links *all);

/* A link for the slot's next worker: LINK_FORKING. cgroup: the pool's. The worker's end is its
 * twin; *ret_output, the end of its output pipe, is the caller's. */
must_check int worker_link_new(struct links *all, struct slot *s, struct log_limit *limit,
	const struct cgroup_pool *cgroup, struct worker_link **ret, int *ret_output);
/* Takes NULL, returns NULL. Not inside its own events. */
struct worker_link *worker_link_free(struct worker_link *l);
/* The zygote reported the process: it shall be ready within this time. -ECHILD, -EEXIST, …: that
 * was no worker. */
must_check int worker_link_start(struct worker_link *l, pid_t pid, uint64_t within_us);
/* There will be no process. */
void worker_link_fail(struct worker_link *l);
/* The death path, once strangers are settled: reads what is left, reaps, tells the core, frees.
 * False: it is not dead yet. */
must_check bool worker_link_bury(struct worker_link *l);

/* Logs, kills: its job is lost with the reason `protocol`. */
void worker_link_break(struct worker_link *l, const char *reason);
/* Moves on; asserts that the move is legal. */
void worker_link_set_state(struct worker_link *l, enum link_state to);
/* As core_ops.hand_over. */
must_check int worker_link_hand_over(
	struct worker_link *l, struct future *const *jobs, unsigned n, unsigned *ret_n);
void worker_link_take_back(struct worker_link *l);
/* It has received all that was handed over to it. */
bool worker_link_inbox_is_empty(const struct worker_link *l);
void worker_link_ring(struct worker_link *l, const struct future *f);
must_check int worker_link_signal(struct worker_link *l, const struct future *f, int signo);
void worker_link_kill(struct worker_link *l);
void worker_link_close(struct worker_link *l);
