/* What a future carries that the core does not look at: texts, progress, captured output. Made when
 * the first of them is needed. */
#pragma once

#include "daemon/core/future.h"
#include "daemon/pending.h"
#include "proto/base.h"
#include "proto/jobspec.h"

#define EXTRA_LOOK_US 20000u

enum extra_stream {
	STREAM_STDOUT,
	STREAM_STDERR,
	_STREAM_MAX,
};

struct future_extra {
	char *label, *trace; /* NULL: none; in the same block */
	char *own_label;     /* `label`, if it was set later; NULL */
	char *reason;	     /* of its cancelling; NULL: none */
	bool has_progress;
	uint64_t progress_done, progress_total;
	char *progress_text;	    /* NULL: none */
	int output_fd[_STREAM_MAX]; /* memfds that grow while a command runs; -1 */
	bool is_own[_STREAM_MAX];   /* the stream goes to a file of the client's own */
	int32_t worker_pid;	    /* of its last run; 0 */
	struct pending *hold;	    /* of the connection that keeps this object; goes with it */
	char texts[];
};

/* Bytes that extra_new() would charge for these texts, and for being attached; 0: nothing to keep,
 * no extra needed. */
size_t extra_size(const struct jobspec *spec);
/* Copies the texts. *ret = NULL if there are none. -ENOMEM. */
must_check int extra_new(const struct jobspec *spec, struct future_extra **ret);
/* f's extra, made empty if it has none, charged to its owner. NULL: no memory or no room. */
struct future_extra *extra_of(struct future *f);
struct future_extra *extra_free(struct future_extra *e);
/* In place of the one it has; an empty one: none. Charged to f's owner: CORE_E_QUOTA or CORE_E_FULL
 * with *ret_refusal, -ENOMEM. */
must_check int extra_set_label(
	struct future *f, const char *text, size_t len, struct refusal *ret_refusal);
/* Charged to f's owner; without room or memory it stays without. */
void extra_set_reason(struct future *f, const char *text, size_t len);
void extra_set_progress(
	struct future *f, uint64_t done, uint64_t total, const char *text, size_t len);
/* Drops the progress and the output of a run: another one follows. */
void extra_next_run(struct future *f);
/* Consumes fd in any case; charged as one fd. */
void extra_set_output(struct future *f, enum extra_stream stream, int fd);
/* How much there is of it so far. */
uint64_t extra_output_bytes(const struct future *f, int stream);
/* Nothing tells when output grows: who waits for more looks at these times, all at the same ones.
 */
static inline uint64_t extra_next_look(uint64_t now_us)
{
	return now_us - now_us % EXTRA_LOOK_US + EXTRA_LOOK_US;
}
