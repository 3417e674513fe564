/* The input of a command: what to run, and how. */
#pragma once

#include <sys/resource.h>

#include "daemon/worker/exec_strings.h"
#include "daemon/worker/job.h"

#define EXEC_LIMITS_MAX 16u

struct exec_limit {
	const char *name;
	int resource;
	struct rlimit value;
};

/* Its memory is used again for the next command. */
struct exec_spec {
	char **argv; /* before argv[0] there is room for one more */
	char **envp;
	const char *path;    /* $PATH of envp, NULL if it has none */
	const char *cwd;     /* NULL: the worker's */
	struct cursor stdin; /* at its end: /dev/null */
	struct cursor out
		[2];   /* standard output and error: a file of the client's own; at its end: kept */
	bool has_ctty; /* its terminal is its controlling one */
	int umask;     /* -1: the worker's */
	bool has_nice;
	int nice;
	struct exec_limit limits[EXEC_LIMITS_MAX];
	unsigned n_limits;

	struct exec_strings strings;
};

void exec_spec_init(struct exec_spec *s);
void exec_spec_deinit(struct exec_spec *s);
/* From the job's input. 0, or negative: the job has failed and says why. */
must_check int exec_spec_parse(struct exec_spec *s, poold_job *job);
