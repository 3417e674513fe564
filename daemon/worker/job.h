/* One run: what came with it, and what goes back (result.h). */
#pragma once

#include <stdbool.h>

#include "daemon/worker/cache.h"
#include "daemon/worker/link.h"
#include "daemon/worker/meter.h"
#include "daemon/worker/poold-module.h"
#include "daemon/worker/result.h"

enum {
	JOB_E_PARAMS = 1, /* the run's parameters are not [function, input, meta] with an id */
	JOB_E_VALUE = 2,  /* a value in shared memory cannot be read, or is no value */
};

struct job_map {
	const void *p;
	size_t len;
	bool has_fds; /* of a checked value: it names some */
};

/* The value of another future: as it stands in `values`, or an ext 3 for it. */
struct job_value {
	uint64_t id;
	struct cursor encoded;
};

/* What a run shares with those behind it in its packet: all but msgid, input and ID. It lies in the
 * packet, as the parts of the message between these. */
struct job_form {
	struct cursor head; /* empty: there is none */
	struct cursor key;
	struct cursor meta;
};

/* Lives as long as the worker; job_begin() … job_end() for each run. What it points to lies in the
 * packet or in its maps. */
struct poold_job {
	struct link *link;
	const char *pool;

	uint64_t id;
	uint32_t attempt;
	uint32_t uid;
	uint64_t max_result; /* UINT64_MAX: no limit */
	const char *function;
	size_t function_len;
	struct job_form form;
	const char *trace;
	size_t trace_len;
	struct cursor
		input; /* exactly the value; no ext 2 or 3 as a whole; with `each`, that of the
				element that is run */
	bool is_each;  /* the input is an array, and the function runs once for each element */
	uint32_t n_values;
	struct job_value values[PROTO_JOB_VALUES]; /* by ID, if they came so */
	bool are_values_sorted;
	uint32_t msgid;

	int fds[PROTO_PACKET_FDS];
	unsigned n_fds;
	struct cached_part
		*parts[PROTO_PACKET_FDS]; /* of the cache, whose fd it is; NULL: our own */
	uint64_t mapped;		  /* bit per index: maps[] holds it */
	uint64_t shared;  /* bit per index: parts[] has it, so it stays when the run is over */
	uint64_t scanned; /* bit per index: and it is a checked value */
	struct job_map maps[PROTO_PACKET_FDS];
	struct cache cache;

	bool is_cancelled;
	uint64_t progress_at_us; /* when progress was last told */
	struct meter meter;
	struct result result;
};

/* In memory that is all zeros. */
void job_init(struct poold_job *job, struct link *link, const char *pool, uint64_t cache_bytes);
void job_deinit(struct poold_job *job);
/* 0, a JOB_E_ (the job may still be answered), or -EPROTO: the packet is broken. */
must_check int job_begin(struct poold_job *job, const struct message *m);
/* If the packet's next message is a run of the same form: as job_begin(), where that is 0. */
must_check bool job_begin_alike(struct poold_job *job);
/* The next run is in another packet. */
void job_forget_form(struct poold_job *job);
/* Undoes job_begin(), also one that failed. */
void job_end(struct poold_job *job, uint64_t now_us);
