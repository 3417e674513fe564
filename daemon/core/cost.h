/* What the jobs of a function cost beside their work, and what would make that less. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/future.h"

/* So many runs, or inputs, tell something. */
#define COST_RUNS_LEAST 100
/* What came later counts for more: sums are halved after so many. */
#define COST_WINDOW 4096
/* A value above that does not travel inline. */
#define COST_LARGE_BYTES (64u * 1024u)
/* Jobs that run shorter than this have to be cheap to hand over. */
#define COST_SHORT_US 50
/* Copies of fewer bytes a run are no matter. */
#define COST_COPIED_BYTES (16u * 1024u)

/* A size that most inputs have. */
struct cost_size {
	uint64_t bytes; /* above COST_LARGE_BYTES; 0: none yet */
	uint64_t n;	/* inputs that had it since the first did */
	uint32_t n_same;
	uint32_t n_of; /* inputs, of which n_same had it; both halved */
};

/* Of the last runs, all halved together. */
struct cost_window {
	uint32_t n_runs;
	uint64_t run_us;
	uint64_t soon_us; /* of it, of each run no more than POOL_SOON_US */
	uint64_t handover_us;
	uint64_t return_us;
	uint64_t bytes;	     /* in and out */
	uint64_t in_copied;  /* by the daemon, when it took them or handed them over */
	uint64_t out_copied; /* by the daemon, for clients without fds */
};

struct cost {
	uint64_t n_runs;
	struct future_timing total; /* of these */
	struct moved in;
	struct moved out;
	uint64_t object_bytes;
	struct cost_size size;
	struct cost_window window;
};

/* What would help. */
enum cost_remedy {
	COST_REMEDY_PUT,    /* one value comes again and again: put it once */
	COST_REMEDY_MEMFD,  /* large values come inline: a memfd needs no copy */
	COST_REMEDY_FDS,    /* large results are read by clients without fds */
	COST_REMEDY_PURE,   /* short jobs: several in one packet */
	COST_REMEDY_BATCH,  /* the same, and they are pure: many in one request */
	COST_REMEDY_LARGER, /* jobs do too little each */
	_COST_REMEDY_MAX,
};

/* A run has ended, with these times; what never ran teaches nothing. */
void cost_learn_run(struct cost *c, const struct future_timing *t);
/* A job has ended. */
void cost_learn_job(struct cost *c, const struct future *f);
/* The daemon copied so many bytes of f's value for a client, before or after its end. */
void cost_copied_out(struct future *f, uint64_t bytes);
/* What adds up: not what the last runs were like. */
void cost_add(struct cost *sum, const struct cost *c);
/* What the last runs took, each: at least 1 ns. 0: there was none. */
uint64_t cost_mean_run_ns(const struct cost *c);
/* The same, as if those that took longer than POOL_SOON_US had taken that. */
uint64_t cost_soon_ns(const struct cost *c);
/* The work share: run / (run + handover + return), 0 to 1; below 0: nothing ran. */
double cost_share(const struct future_timing *t);
/* A bit (1 << COST_REMEDY_…) for each remedy that the last runs call for; 0 if their work share is
 * a half or more, or they are too few to tell. */
unsigned cost_remedies(const struct cost *c, bool is_pure);
