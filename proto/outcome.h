/* The words of the wire: states of a future, codes of errors and failures. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bufpack;

/* In the order that the state table of PROTOCOL.md gives; final ones from OUTCOME_DONE on. */
enum outcome_state {
	OUTCOME_DELAYED,
	OUTCOME_BLOCKED,
	OUTCOME_QUEUED,
	OUTCOME_RUNNING,
	OUTCOME_CANCELLING,
	OUTCOME_DONE,
	OUTCOME_FAILED,
	OUTCOME_CANCELLED,
	OUTCOME_TIMEOUT,
	OUTCOME_LOST,
	OUTCOME_ABORTED,
	_OUTCOME_STATE_MAX,
};

enum outcome_code {
	OUTCOME_E_NONE,
#define X(name, word) OUTCOME_E_##name,
#include "proto/errors.def"
#undef X
	_OUTCOME_CODE_MAX,
};

/* "queued", … */
const char *outcome_state_name(enum outcome_state s);
/* _OUTCOME_STATE_MAX if there is none of that name. */
enum outcome_state outcome_state_from(const char *text, size_t len);
static inline bool outcome_state_is_final(enum outcome_state s)
{
	return s >= OUTCOME_DONE;
}

/* "unknown_future", …; "" for OUTCOME_E_NONE. */
const char *outcome_code_name(enum outcome_code c);
/* OUTCOME_E_NONE if there is none of that name: a function's own code, say. */
enum outcome_code outcome_code_from(const char *text, size_t len);

/* Details of a limit that was hit: `limit`, `value`, `max`, three entries of a map. */
void outcome_pack_limit(struct bufpack *p, const char *limit, uint64_t value, uint64_t max);
