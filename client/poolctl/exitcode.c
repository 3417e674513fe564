#include "client/poolctl/exitcode.h"

#define CODE(c, from) ((struct exitcode){(c), EXITCODE_FROM_##from})

const char *exitcode_source_name(enum exitcode_source s)
{
	static const char *const names[] = {
#define X(name, word) [EXITCODE_FROM_##name] = word,
		EXITCODE_SOURCES(X)
#undef X
	};

	return names[s];
}

static struct exitcode of_failure(enum outcome_code code, int exit_code, int signal_no)
{
	switch (code) {
	case OUTCOME_E_POISON:
	case OUTCOME_E_TOO_LARGE:
	case OUTCOME_E_QUOTA: return CODE(EXITCODE_POOLD, POOLD);
	case OUTCOME_E_SIGNAL: return CODE(EXITCODE_SIGNAL + signal_no, SIGNAL);
	case OUTCOME_E_EXIT: return CODE(exit_code >= 0 ? exit_code : EXITCODE_FALSE, JOB);
	default: /* a function's own failure has no number */ return CODE(EXITCODE_FALSE, JOB);
	}
}

struct exitcode exitcode_of_job(
	enum outcome_state state, enum outcome_code code, int exit_code, int signal_no)
{
	switch (state) {
	case OUTCOME_DONE: return CODE(EXITCODE_OK, JOB);
	case OUTCOME_FAILED: return of_failure(code, exit_code, signal_no);
	case OUTCOME_CANCELLED: return CODE(EXITCODE_INTERRUPTED, CANCELLED);
	case OUTCOME_TIMEOUT: return CODE(EXITCODE_TIMEOUT, TIMEOUT);
	case OUTCOME_LOST: return CODE(EXITCODE_POOLD, LOST);
	case OUTCOME_ABORTED: return CODE(EXITCODE_POOLD, ABORTED);
	default: return CODE(EXITCODE_TIMEOUT, WAIT_TIMEOUT);
	}
}

struct exitcode exitcode_plain(struct exitcode of_job)
{
	if (of_job.code != EXITCODE_OK && of_job.source != EXITCODE_FROM_CANCELLED)
		of_job.code = EXITCODE_FALSE;
	return of_job;
}

struct exitcode exitcode_of_refusal(bool for_job, enum outcome_code code)
{
	bool no_function = code == OUTCOME_E_UNKNOWN_POOL || code == OUTCOME_E_UNKNOWN_FUNCTION;
	bool no_future = code == OUTCOME_E_UNKNOWN_FUTURE || code == OUTCOME_E_EXPIRED;

	if (for_job)
		return CODE(no_function ? EXITCODE_NOT_FOUND : EXITCODE_POOLD, POOLD);
	return CODE(no_future ? EXITCODE_NO_FUTURE : EXITCODE_FALSE, POOLD);
}

struct exitcode exitcode_of_connection(bool for_job)
{
	return CODE(for_job ? EXITCODE_POOLD : EXITCODE_NO_DAEMON, POOLCTL);
}

struct exitcode exitcode_of_usage(bool for_job)
{
	return CODE(for_job ? EXITCODE_POOLD : EXITCODE_USAGE, POOLCTL);
}

struct exitcode exitcode_of_interrupt(void)
{
	return CODE(EXITCODE_INTERRUPTED, POOLCTL);
}

struct exitcode exitcode_of_own(bool for_job)
{
	return CODE(for_job ? EXITCODE_POOLD : EXITCODE_FALSE, POOLCTL);
}
