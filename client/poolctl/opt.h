/* Option tables: one static table says what an option is called, what it takes, what it means and
 * where its value goes. Parsing, --help, the completion and the check of the man page are all made
 * from it. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "proto/base.h"

enum opt_kind {
	OPT_FLAG,   /* bool */
	OPT_TEXT,   /* const char * */
	OPT_TIME,   /* struct opt_time */
	OPT_SIZE,   /* struct opt_size */
	OPT_NUMBER, /* struct opt_number: an integer of 32 bits */
	OPT_COUNT,  /* struct opt_number: 1 and above */
	OPT_LIST,   /* struct opt_list: may be given more than once */
	OPT_IDS,    /* struct opt_ids: with commas between, may be given more than once */
};

struct opt {
	char letter;	  /* 0: it has none */
	const char *name; /* NULL ends a table */
	const char *arg;  /* what its argument is called; NULL for OPT_FLAG */
	const char *help; /* one line, for people */
	enum opt_kind kind;
	size_t at; /* offset of the value in the struct that opt_parse() fills */
};

struct opt_time {
	bool set;
	uint64_t us;
};

struct opt_size {
	bool set;
	uint64_t bytes;
};

struct opt_number {
	bool set;
	int64_t value;
};

struct opt_list {
	const char **items; /* borrowed texts; free() the array */
	size_t n;
};

struct opt_ids {
	uint64_t *ids; /* free() it */
	size_t n;
};

/* A table and the struct that it fills. */
struct opt_set {
	const struct opt *opts;
	void *values;
};

/* What was wrong, as a sentence for people. */
struct opt_error {
	char message[256];
};

/* Reads the options of argv[1 … argc). 0 and *ret_first, the index of the first operand (operands
 * are moved behind the options unless `stop`: then options end at the first operand); 1 with
 * *ret_error filled after wrong usage, all other options being read nevertheless; -ENOMEM. */
must_check int opt_parse(const struct opt_set *sets, size_t n_sets, bool stop, int argc,
	char **argv, int *ret_first, struct opt_error *ret_error);

/* Frees what opt_parse() allocated in values. */
void opt_release(const struct opt *opts, void *values);

size_t opt_count(const struct opt *opts);
/* The lines of --help. */
void opt_help(const struct opt *opts, FILE *to);
/* A line per option: verb, "-x" or "-", "--name", argument or "-", help, separated by tabs. */
void opt_table(const struct opt *opts, const char *verb, FILE *to);
