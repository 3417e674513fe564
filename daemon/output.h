/* What a zygote or worker writes to its stdout and stderr: the last of it is kept for the details
 * of a loss, its lines go to the log, so many a second and no more. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "daemon/log_limit.h"
#include "proto/base.h"

#define OUTPUT_TAIL_BYTES 4096u
#define OUTPUT_LINE_BYTES 512u

struct output {
	struct log_limit *limit; /* of the pool `of`: all its processes share it */
	struct event *event;
	int fd;		  /* read end of the pipe; -1: end of file, or none */
	pid_t pid;	  /* for the log */
	uint64_t n_bytes; /* so far */
	size_t line_len;
	char line[OUTPUT_LINE_BYTES];
	char tail[OUTPUT_TAIL_BYTES]; /* a ring: byte i of all stands at i % its size */
};

/* Makes the pipe and watches it; *ret_fd is the writing end, the caller's. */
must_check int output_init(
	struct output *o, struct event_base *base, struct log_limit *limit, int *ret_fd);
void output_deinit(struct output *o);
/* Reads what is there, within reason. */
void output_drain(struct output *o);
/* The last of it as plain text; lines are kept, other control characters and broken UTF-8 are not.
 * Returns its length. */
size_t output_tail(const struct output *o, char out[static OUTPUT_TAIL_BYTES]);
/* How the process that wrote it ended (its wait status), with its last line. */
void output_describe_end(const struct output *o, int status, char *text, size_t size);
/* Its last line that is not empty; *ret_len 0: there is none. */
const char *output_last_line(const char *tail, size_t len, size_t *ret_len);
