/* What goes back from a run: a value or a failure, with the fds that its ext 1s stand for. */
#pragma once

#include <stdbool.h>

#include "proto/buf.h"
#include "proto/limits.h"

struct poold_job;

/* Where a result is while the function may still write it. */
enum result_kind {
	RESULT_READY,  /* in body (empty: nil) */
	RESULT_ROOM,   /* a small byte string in room */
	RESULT_SHARED, /* a byte string in shm */
};

struct result {
	enum result_kind kind;
	bool is_failed;
	bool is_too_large; /* that stays: it may be due to where the job runs, which tries it again */
	bool is_array; /* of a job with `each`: n_elements are in it, and the value is that of one more */
	uint32_t n_elements;
	size_t begin;	       /* where in body the value of this run of the function begins */
	unsigned begin_fds;    /* and its fds */
	uint64_t shared_bytes; /* in the fds before */
	char code[PROTO_NAME_BYTES + 1];
	char message[PROTO_MESSAGE_TEXT_BYTES + 1];
	struct buf body; /* the encoding of the value, or of a failure's data */
	int fds[PROTO_RESULT_FDS];
	unsigned n_fds;

	size_t len;    /* of the byte string that is written in place */
	uint8_t *room; /* PROTO_INLINE_BIN_BYTES, once needed */
	int shm;
	void *shm_p;
	size_t shm_size;
};

void result_init(struct result *res);
void result_deinit(struct result *res);
/* Back to nil. */
void result_reset(struct result *res);
/* From now on it is an array. */
void result_begin_array(struct result *res);
/* What was set becomes its next element, after result_finish(). < 0: the job has failed. */
must_check int result_end_element(struct poold_job *job);
/* Before a value is set: nothing set so far counts any more; a failure stays. len: of a byte
 * string, or of an encoding that goes into the answer. < 0: too large, the job has failed. */
must_check int result_begin(struct poold_job *job, size_t len);
must_check int result_begin_inline(struct poold_job *job, size_t len);
/* Drops what was set of the value. */
void result_clear_value(struct result *res);
/* One value without ext types of ours. */
bool result_is_plain(const void *encoded, size_t len, unsigned max_depth);
/* How long an encoding in the answer may be. */
size_t result_room(const struct result *res);
/* The function is through: what was written in place becomes the value. Afterwards only code,
 * message, body and fds count. */
void result_finish(struct poold_job *job);
/* Takes an fd over; returns the index that stands for it, or -ENOBUFS. */
must_check int result_attach(struct result *res, int fd);
/* The job fails because a value of so many bytes is over a limit. Returns -EFBIG. */
int result_too_large(struct poold_job *job, const char *limit, uint64_t value, uint64_t max);
/* The same because of too many byte strings in shared memory. */
int result_too_many_fds(struct poold_job *job);
/* Packs the answer: [code, message, {data, meas}], nil or nil, [value, meas]. */
void result_pack(struct bufpack *p, const struct poold_job *job);
/* About how many bytes result_pack() writes, not less. */
size_t result_pack_len(const struct result *res);
