/* Standard output carries data, standard error talk. The process has one of each, so this module
 * keeps its state itself. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base.h"

#define OUTPUT_SCHEMA 1 /* of the JSON: keys are only ever added within a number */

/* color: "auto", "always" or "never"; false if it is another word. */
must_check bool output_setup(bool json, bool quiet, const char *color);
bool output_is_json(void);
bool output_is_quiet(void);
bool output_is_terminal(void);
bool output_is_bold(void);

/* Data. What cannot be written is remembered for output_finish(). */
void output_bytes(const void *bytes, size_t len);
void output_line(const char *format, ...) printf_like(1, 2);
/* One line of JSON: the object, with "schema" in front. Consumes it; NULL counts as no memory. */
void output_document(json_t *object);
/* One line with any JSON value. Consumes it. */
void output_json(json_t *value);
/* What was written so far goes out now: for streams. */
void output_flush(void);
/* Nothing more can be written: the reader is gone, the disk is full. */
bool output_has_failed(void);
/* After output was printed by stdio directly: notices its failure. */
void output_notice(void);
/* Flushes; complains and returns -errno if anything was not written. */
must_check int output_finish(void);

/* Talk: "poolctl: …" and a line's end. */
void output_complain(const char *format, ...) printf_like(1, 2);
/* Nothing with --quiet. */
void output_say(const char *format, ...) printf_like(1, 2);
/* Bytes of a job for standard error, as they are. */
void output_stderr(const void *bytes, size_t len);
