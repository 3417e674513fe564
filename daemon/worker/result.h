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
/* The function is through: what was written in place becomes the value. Afterwards only code,
 * message, body and fds count. */
void result_finish(struct poold_job *job);
/* Takes an fd over; returns the index that stands for it, or -ENOBUFS. */
must_check int result_attach(struct result *res, int fd);
/* The job fails because a value of so many bytes is over a limit. Returns -EFBIG. */
int result_too_large(struct poold_job *job, const char *limit, uint64_t value, uint64_t max);
/* Packs [code, message, {data, meas}], nil or nil, [value, meas]. */
void result_pack(struct bufpack *p, const struct poold_job *job);
/* About how many bytes result_pack() writes, not less. */
size_t result_pack_len(const struct result *res);
