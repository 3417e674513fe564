/* How a future ended, for people, for programs, and as an exit code. */
#pragma once

#include "client/poolctl/ctl.h"
#include "client/poolctl/value.h"

struct ending {
	poold_state state;
	const char *code;    /* "" if it is done */
	const char *message; /* for people */
	int exit_code;	     /* of a command; -1 */
	int signal_no;
	struct exitcode exit;
};

/* Texts belong to the future. A future that is not settled: waiting for it ended first. */
struct ending ending_of(const struct ctl *ctl, poold_future *f);
/* The same of one item of a job. */
struct ending ending_of_item(const struct ctl *ctl, const poold_map_item *item);
/* "12 failed: the command exited with 3", to standard error. */
void ending_complain(const struct ending *e, uint64_t id);
/* {id, state, error, exit_code, exit_source, timing}, and the result if wanted. NULL without
 * memory. */
must_check json_t *ending_item_document(const struct ending *e, const poold_map_item *item);
must_check json_t *ending_document(const struct ending *e, poold_future *f, bool want_result);

/* Prints what a value is for people: the standard output of a command, bytes as they are, text as
 * lines, the rest as JSON. False if that was nothing. */
bool ending_print_value(const struct value *v);
/* The output of a command was longer than its pool keeps: says so. */
void ending_warn_truncated(const struct value *command);
