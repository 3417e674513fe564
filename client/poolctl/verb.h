/* A verb of poolctl: its words, its options, what it does. Each stands at the end of its own file;
 * verb.c lists them in the order of the help. */
#pragma once

#include "client/poolctl/ctl.h"
#include "client/poolctl/opt.h"

struct verb {
	const char *name;
	const char *alias;    /* another name, or NULL */
	const char *operands; /* what follows the options, for the synopsis */
	const char *doc;      /* one line */
	const char *more;     /* further lines of --help, or NULL */
	const struct opt *opts;
	size_t values_size; /* of the struct that opts fill */
	bool stops;	    /* options end at the first operand: a command has its own */
	/* With these options it stands for one job and hands its exit code on; NULL: never. */
	bool (*for_job)(const void *values);
	/* Returns the exit code, all errors said. Operands are argv[0 … argc). */
	int (*run)(struct ctl *ctl, void *values, int argc, char **argv);
};

/* Ends with NULL. */
extern const struct verb *const verb_all[];

/* By name or alias; NULL if there is none. */
const struct verb *verb_find(const char *name);
/* The usage of one verb, or of poolctl (NULL). */
void verb_help(const struct verb *v);
/* Every verb and option, a line each, for the completion and the check of the manual. */
void verb_tables(void);

extern const struct verb verb_submit, verb_run, verb_call, verb_map;
extern const struct verb verb_wait, verb_watch, verb_result, verb_logs, verb_info, verb_list;
extern const struct verb verb_cancel, verb_put, verb_set, verb_retry, verb_signal, verb_release;
extern const struct verb verb_ping, verb_pools, verb_functions, verb_workers, verb_stats;
extern const struct verb verb_resize, verb_pause, verb_resume, verb_drain;
extern const struct verb verb_reload, verb_shutdown, verb_help_page;
