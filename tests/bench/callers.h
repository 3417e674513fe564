/* Processes that call at the same time, each one call after the other. */
#pragma once

struct callers {
	void *(*open)(unsigned i, void *userdata); /* in the i-th process */
	void (*call)(void *opened);
	void *userdata;
};

/* n calls by n_callers; prints p50 and p99 of one call in µs, and how many there were in a second.
 * The processes have ended when it returns. */
void callers_run(const struct callers *c, unsigned n_callers, unsigned n);
