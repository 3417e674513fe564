/* What map tells beside the results: the log of jobs, the bar, the summary. */
#pragma once

#include <stdio.h>

#include "client/poolctl/ending.h"

struct map_report {
	FILE *log; /* --joblog */
	bool bar;
	bool bar_is_shown;
	size_t total; /* 0: not known */
	size_t n_done, n_failed;
	uint64_t run_us, handover_us, return_us; /* sums */
	uint64_t start_us, bar_at_us;		 /* monotonic */
};

/* What the log wants to know of a job. */
struct map_line {
	uint64_t seq;
	double started; /* unix seconds */
	size_t sent, received;
	const char *command;
};

/* log: a file to be written, or NULL; bar: on standard error, if that is a terminal.
 * 0 or -errno. */
must_check int map_report_open(struct map_report *m, const char *log, bool bar, size_t total);
/* A job has ended: counts, and writes its line. f NULL: it was never handed in. */
void map_report_end(
	struct map_report *m, const struct map_line *line, const struct ending *e, poold_future *f);
/* Draws the bar if it is time. */
void map_report_draw(struct map_report *m);
/* Before anything else is printed. */
void map_report_clear(struct map_report *m);
void map_report_summary(const struct map_report *m);
/* 0, or -errno if the log could not be written. */
must_check int map_report_close(struct map_report *m);
