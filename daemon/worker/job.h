/* One run: what came with it, and what goes back (result.h). */
#pragma once

#include <stdbool.h>

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
	const char *trace;
	size_t trace_len;
	struct cursor input;  /* exactly the value; no ext 2 or 3 as a whole */
	struct cursor values; /* stands on the first ID */
	uint32_t n_values;
	uint32_t msgid;

	int fds[PROTO_PACKET_FDS];
	unsigned n_fds;
	uint64_t mapped;  /* bit per index: maps[] holds it */
	uint64_t scanned; /* bit per index: and it is a checked value */
	struct job_map maps[PROTO_PACKET_FDS];

	bool is_cancelled;
	uint64_t progress_at_us; /* when progress was last told */
	struct meter meter;
	struct result result;
};

void job_init(struct poold_job *job, struct link *link, const char *pool);
void job_deinit(struct poold_job *job);
/* 0, a JOB_E_ (the job may still be answered), or -EPROTO: the packet is broken. */
must_check int job_begin(struct poold_job *job, const struct message *m);
/* Undoes job_begin(), also one that failed. */
void job_end(struct poold_job *job);

/* The byte string that the value at c stands for. 0, -EINVAL if it is none, as poold_job_bytes().
 */
must_check int job_bytes(struct poold_job *job, struct cursor c, const void **ret, size_t *ret_len);
/* The fd that the ext 1 at c names, which is the job's, or -EINVAL, -ENOENT. */
must_check int job_named_fd(const struct poold_job *job, struct cursor c);
/* Whoever is to have the job's fds has them: closes those that are left here. */
void job_close_fds(struct poold_job *job);
/* A file descriptor that reads that byte string from its beginning; the caller owns it. As
 * job_bytes(); -EBADF if it is no sealed memfd. */
must_check int job_open_bytes(struct poold_job *job, struct cursor c);
