/* What a command writes: read from a pipe, kept in a memfd. */
#pragma once

#include "daemon/worker/job.h"

struct exec_stream {
	const char *name; /* "stdout", "stderr" */
	int pipe;	  /* the end to read; -1 when there is nothing more to come */
	int end;	  /* the command's end */
	int memfd;	  /* -1 until the first byte */
	bool is_own;	  /* the command's end is a file of the client's own: nothing passes here */
	size_t len;	  /* bytes kept */
	bool is_truncated;
};

/* No pipe yet. */
void exec_stream_init(struct exec_stream *s, const char *name);
must_check int exec_stream_open(struct exec_stream *s);
/* Instead: this file of the client's own, of which the stream gets a duplicate. */
must_check int exec_stream_open_own(struct exec_stream *s, int fd);
/* The command has ended: its end is open in no process but those that it left. */
void exec_stream_close_end(struct exec_stream *s);
void exec_stream_close(struct exec_stream *s);
/* Reads once from a pipe that is ready, keeps up to max bytes more and drops the rest. At the first
 * byte the daemon is told. 0, or -errno. */
must_check int exec_stream_read(struct exec_stream *s, struct poold_job *job, size_t max);
/* Keeps a text of the worker's own. A client's own file gets it if there is room at once. */
must_check int exec_stream_add(
	struct exec_stream *s, struct poold_job *job, const char *text, size_t max);
/* Packs the bytes as bin if they are few, else as an ext 1 of the result for the sealed memfd; nil
 * if they went to a client's own file. */
must_check int exec_stream_pack(struct exec_stream *s, struct bufpack *p, struct poold_job *job);
