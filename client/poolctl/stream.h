/* One stream of a command job, read piece by piece, to its end or as far as it has come. */
#pragma once

#include "client/poolctl/ctl.h"
#include "proto/buf.h"

/* Bytes of a UTF-8 character that may wait for its rest. */
#define STREAM_TAIL_MAX 3

struct stream {
	struct ctl *ctl;
	uint64_t id;
	const char *name;    /* "stdout", "stderr" */
	bool to_stderr;	     /* where it is printed, without --json */
	struct buf *into;    /* where it is kept instead of being printed; NULL */
	bool follow;	     /* to its end, not only what is there */
	bool over;	     /* nothing more comes */
	bool any;	     /* there was at least a byte */
	uint64_t attempt;    /* the run that is read; 0: not known yet */
	bool tells_attempts; /* says when another run begins */
	uint64_t offset;
	uint8_t tail[STREAM_TAIL_MAX]; /* with --json: a character that was cut, the last bytes */
	size_t tail_len;
	int error;	      /* -errno of the library */
	poold_reply *refusal; /* the daemon's error, if it answered with one */
};

/* Asks for the first piece; from then on the pump does the rest. 0 or -errno. The stream stays in
 * place until it is over, or the connection closed. */
must_check int stream_start(struct stream *s);
/* All of it, at once. 0 or -errno; an error answer is s->refusal. */
must_check int stream_read(struct stream *s);
void stream_deinit(struct stream *s);
