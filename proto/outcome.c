#include "proto/outcome.h"

#include <assert.h>

#include "proto/buf.h"
#include "proto/text.h"

static const char *const state_names[] = {
	[OUTCOME_DELAYED] = "delayed",
	[OUTCOME_BLOCKED] = "blocked",
	[OUTCOME_QUEUED] = "queued",
	[OUTCOME_RUNNING] = "running",
	[OUTCOME_CANCELLING] = "cancelling",
	[OUTCOME_DONE] = "done",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_CANCELLED] = "cancelled",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_LOST] = "lost",
	[OUTCOME_ABORTED] = "aborted",
};
static_assert(ARRAY_SIZE(state_names) == _OUTCOME_STATE_MAX, "a word per state");

static const char *const code_names[] = {
	[OUTCOME_E_NONE] = "",
#define X(name, word) [OUTCOME_E_##name] = word,
#include "proto/errors.def"
#undef X
};

const char *outcome_state_name(enum outcome_state s)
{
	assert(s < _OUTCOME_STATE_MAX);
	return state_names[s];
}

enum outcome_state outcome_state_from(const char *text, size_t len)
{
	enum outcome_state s = OUTCOME_DELAYED;

	if (text_equal(text, len, "done")) /* nearly all of them */
		return OUTCOME_DONE;
	while (s < _OUTCOME_STATE_MAX && !text_equal(text, len, state_names[s]))
		s++;
	return s;
}

const char *outcome_code_name(enum outcome_code c)
{
	assert(c < _OUTCOME_CODE_MAX);
	return code_names[c];
}

enum outcome_code outcome_code_from(const char *text, size_t len)
{
	for (unsigned c = OUTCOME_E_NONE + 1; c < _OUTCOME_CODE_MAX; c++)
		if (text_equal(text, len, code_names[c]))
			return (enum outcome_code)c;
	return OUTCOME_E_NONE;
}

void outcome_pack_limit(struct bufpack *p, const char *limit, uint64_t value, uint64_t max)
{
	bufpack_text(p, "limit");
	bufpack_text(p, limit);
	bufpack_text(p, "value");
	bufpack_uint(p, value);
	bufpack_text(p, "max");
	bufpack_uint(p, max);
}
