/* What verbs that hand in jobs have in common: the options of a job and of a command, and inputs
 * made of them. */
#pragma once

#include "client/poolctl/stdio.h"
#include "proto/buf.h"
#include "proto/limits.h"

struct jobargs {
	struct opt_time timeout, grace, ttl, start_within, deadline, delay, backoff, admit_within;
	struct opt_number priority, retries;
	const char *retry_on; /* words with commas between */
	const char *group, *label, *trace;
	struct opt_ids after, after_any;
};

/* Rows of an option table; `s` has a struct jobargs called `m`. */
#define JOBARGS_OPTIONS(s, m)                                                                      \
	{'t', "timeout", "TIME", "how long it may run", OPT_TIME, offsetof(s, m.timeout)},         \
		{0, "grace", "TIME", "from SIGTERM to SIGKILL", OPT_TIME, offsetof(s, m.grace)},   \
		{0, "start-within", "TIME", "how long it may wait in the queue", OPT_TIME,         \
			offsetof(s, m.start_within)},                                              \
		{0, "deadline", "TIME", "how long all may take, from now", OPT_TIME,               \
			offsetof(s, m.deadline)},                                                  \
		{0, "delay", "TIME", "do not start it before", OPT_TIME, offsetof(s, m.delay)},    \
		{0, "retries", "N", "run it again up to so many times", OPT_COUNT,                 \
			offsetof(s, m.retries)},                                                   \
		{0, "retry-on", "ENDS", "of: failed,lost,timeout (default: all three)", OPT_TEXT,  \
			offsetof(s, m.retry_on)},                                                  \
		{0, "backoff", "TIME", "wait before the next run; doubles each time", OPT_TIME,    \
			offsetof(s, m.backoff)},                                                   \
		{0, "priority", "N", "higher ones go first; default 0", OPT_NUMBER,                \
			offsetof(s, m.priority)},                                                  \
		{'g', "group", "GROUP", "a text of your own, for list", OPT_TEXT,                  \
			offsetof(s, m.group)},                                                     \
		{'l', "label", "LABEL", "another", OPT_TEXT, offsetof(s, m.label)},                \
		{0, "after", "IDS", "only when these are done", OPT_IDS, offsetof(s, m.after)},    \
		{0, "after-any", "IDS", "only when these have ended", OPT_IDS,                     \
			offsetof(s, m.after_any)},                                                 \
		{0, "ttl", "TIME", "how long the result is kept; default one hour", OPT_TIME,      \
			offsetof(s, m.ttl)},                                                       \
		{0, "admit-within", "TIME", "wait so long for room, where a limit is reached",     \
			OPT_TIME, offsetof(s, m.admit_within)},                                    \
	{                                                                                          \
		0, "trace", "TRACEPARENT", "a W3C trace context; default $TRACEPARENT", OPT_TEXT,  \
			offsetof(s, m.trace)                                                       \
	}

struct commandargs {
	const char *pool;
	const char *cwd;
	struct opt_list setenv;
	bool shell;
	bool is_own; /* filled by commandargs_check() */
};

/* The same for a struct commandargs. */
#define COMMANDARGS_OPTIONS(s, m)                                                                  \
	{'p', "pool", "POOL", "the pool that runs the command", OPT_TEXT, offsetof(s, m.pool)},    \
		{'E', "setenv", "NAME=VALUE", "for its environment; NAME alone: as here",          \
			OPT_LIST, offsetof(s, m.setenv)},                                          \
		{'C', "cwd", "DIR", "run it in this directory", OPT_TEXT, offsetof(s, m.cwd)},     \
	{                                                                                          \
		0, "shell", NULL, "the command is one text for /bin/sh -c", OPT_FLAG,              \
			offsetof(s, m.shell)                                                       \
	}

struct inputargs {
	const char *file; /* "-" is standard input */
	const char *json;
	struct opt_ids futures;
	bool each;
};

/* The same for a struct inputargs: of a function; of a command the first row alone. */
#define INPUTARGS_FILE_OPTION(s, m)                                                                \
	{                                                                                          \
		'i', "input", "FILE", "this file (-: standard input) is its input", OPT_TEXT,      \
			offsetof(s, m.file)                                                        \
	}
#define INPUTARGS_FUTURE_OPTION(s, m)                                                              \
	{                                                                                          \
		'I', "input-future", "IDS",                                                        \
			"the value of this future is its input; of several, an array", OPT_IDS,    \
			offsetof(s, m.futures)                                                     \
	}
#define INPUTARGS_EACH_OPTION(s, m)                                                                \
	{                                                                                          \
		0, "each", NULL, "the input is an array: run the function for each element",       \
			OPT_FLAG, offsetof(s, m.each)                                              \
	}
#define INPUTARGS_JSON_OPTION(s, m)                                                                \
	{                                                                                          \
		0, "json-arg", "JSON", "this value is its input", OPT_TEXT, offsetof(s, m.json)    \
	}

/* What a job works on, with what it is made of. */
struct input {
	poold_input value; /* for one poold_submit() */
	poold_command *command;
	struct buf buf;
	int fd;
};

/* Texts stay the caller's. 0 or the exit code: a time of 0 would not be what it seems. */
must_check int jobargs_options(struct ctl *ctl, const struct jobargs *a, poold_options *ret);

/* For a function they mean nothing: which was given, or NULL. */
const char *commandargs_given(const struct commandargs *a);
/* Wrong --setenv or --pool? Connects, and asks whether the daemon is the user's own. 0 and the
 * function's address, or the exit code. */
must_check int commandargs_check(
	struct ctl *ctl, struct commandargs *a, char function[PROTO_ADDRESS_BYTES + 1]);

/* What a function gets: a file, a JSON value, one text or an array of several, or nil. 0 or the
 * exit code. */
must_check int input_of_function(
	struct ctl *ctl, const struct inputargs *a, int argc, char **argv, struct input *ret);
/* The command's standard input is the future that was asked for, if one was. 0 or the exit code. */
must_check int input_take_future(struct ctl *ctl, const struct inputargs *a, struct input *in);
/* What a command is; argv ends with NULL. 0 or the exit code. */
must_check int input_of_command(struct ctl *ctl, const struct commandargs *c,
	const struct stdio *io, char *const *argv, struct input *ret);
/* A file to read, or (-) what poolctl reads itself: the fd, or -errno. No directory: nothing can be
 * read of one. */
must_check int input_open(const char *path);
/* The content of a file, or one text. 0 or -errno. */
must_check int input_file(struct input *ret, const char *path);
must_check int input_text(struct input *ret, const char *text);
/* The same as input_of_command() without a word said. 0 or -errno. */
must_check int input_command(
	struct input *ret, const struct commandargs *a, char *const *argv, const struct stdio *io);
void input_deinit(struct input *in);
