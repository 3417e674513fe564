/* A failure is told three times over: a code for programs, a sentence for people, details for both.
 * Details that the worker or its death gave lie in the future's value; the others follow from its
 * fields.
 */
#include "daemon/failure.h"

#include <stdio.h>
#include <string.h>

#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/core/pool.h"
#include "daemon/core/core.h"
#include "daemon/core/edge.h"
#include "daemon/extra.h"
#include "daemon/payload.h"
#include "daemon/run_values.h"
#include "proto/text.h"

enum outcome_code failure_code(const struct future *f)
{
	static const enum outcome_code codes[] = {
		[FAILURE_NONE] = OUTCOME_E_NONE,
		[FAILURE_FUNCTION] = OUTCOME_E_FAILED,
		[FAILURE_EXIT] = OUTCOME_E_EXIT,
		[FAILURE_SIGNAL] = OUTCOME_E_SIGNAL,
		[FAILURE_TOO_LARGE] = OUTCOME_E_TOO_LARGE,
		[FAILURE_INPUTS] = OUTCOME_E_TOO_LARGE,
		[FAILURE_QUOTA] = OUTCOME_E_QUOTA,
		[FAILURE_HELD] = OUTCOME_E_QUOTA,
		[FAILURE_TIMEOUT] = OUTCOME_E_TIMEOUT,
		[FAILURE_POISON] = OUTCOME_E_POISON,
		[FAILURE_CANCELLED] = OUTCOME_E_CANCELLED,
		[FAILURE_LOST] = OUTCOME_E_LOST,
		[FAILURE_SHUTDOWN] = OUTCOME_E_ABORTED,
		[FAILURE_POOL] = OUTCOME_E_ABORTED,
		[FAILURE_INPUT] = OUTCOME_E_ABORTED,
	};

	return codes[f->failure];
}

bool failure_find_detail(const struct payload *p, const char *key, struct cursor *ret)
{
	struct cursor c = p && !payload_is_spilled(p) ? cursor_of(p->bytes, p->len)
						      : cursor_of(NULL, 0);
	const char *word;
	size_t len;
	uint32_t n;

	if (!cursor_map(&c, &n))
		return false;
	for (; n > 0; n--) {
		if (!cursor_text(&c, &word, &len))
			return false;
		*ret = c;
		if (text_equal(word, len, key))
			return true;
		if (!cursor_skip(&c, NULL))
			return false;
	}
	return false;
}

static long long detail_int(const struct payload *p, const char *key)
{
	struct cursor c;
	int64_t v;

	return failure_find_detail(p, key, &c) && cursor_int(&c, &v) ? v : -1;
}

static void describe_function_failure(const struct future *f, char *text, size_t size)
{
	const char *message;
	struct cursor c;
	size_t len;

	if (failure_find_detail(future_value(f), "message", &c) &&
		cursor_text(&c, &message, &len) && len > 0)
		snprintf(text, size, "%.*s", (int)(len < size ? len : size - 1), message);
	else
		snprintf(text, size, "the function failed");
}

static void describe_loss(const struct future *f, char *text, size_t size)
{
	long long pid = detail_int(future_value(f), "pid"),
		  signo = detail_int(future_value(f), "signal");

	if (pid < 0)
		snprintf(text, size, "the worker died");
	else if (signo > 0)
		snprintf(text, size, "the worker (pid %lld) was killed by signal %lld", pid, signo);
	else
		snprintf(text, size, "the worker (pid %lld) exited with code %lld", pid,
			detail_int(future_value(f), "exit_code"));
}

static void describe_large(const struct future *f, char *text, size_t size)
{
	const char *limit = "";
	struct cursor c;
	size_t len = 0;
	bool is_fds = failure_find_detail(future_value(f), "limit", &c) &&
		      cursor_text(&c, &limit, &len) && text_equal(limit, len, "result_fds");

	snprintf(text, size, "the result has %lld %s, at most %lld may be",
		detail_int(future_value(f), "value"),
		is_fds ? "byte strings in shared memory" : "bytes",
		detail_int(future_value(f), "max"));
}

/* As its pool was then. */
static void describe_pool(const struct future *f, char *text, size_t size)
{
	const char *reason;
	struct cursor c;
	size_t len;

	if (failure_find_detail(future_value(f), "reason", &c) && cursor_text(&c, &reason, &len))
		snprintf(text, size, "the pool %s is not available: %.*s", future_pool(f)->name,
			(int)(len < size ? len : size - 1), reason);
	else
		snprintf(text, size, "the pool %s is not available", future_pool(f)->name);
}

static void describe_time_out(const struct future *f, char *text, size_t size)
{
	const struct wishes *w = future_terms(f) ? &future_terms(f)->wishes : NULL;

	switch (f->clock) {
	case FUTURE_CLOCK_START_WITHIN:
		snprintf(text, size, "the job was not started within %g s",
			(double)w->start_within_us / 1e6);
		break;
	case FUTURE_CLOCK_DEADLINE:
		snprintf(text, size, "the job was not done by its deadline of %g s",
			(double)w->deadline_us / 1e6);
		break;
	default:
		snprintf(text, size, "the job ran longer than its timeout of %g s",
			(double)f->timeout_us / 1e6);
	}
}

/* Its inputs are kept, so they can be looked at once more. */
static void limit_of_inputs(
	const struct future *f, const char **ret_limit, uint64_t *ret_value, uint64_t *ret_max)
{
	struct run_values v = run_values_of(f);

	if (run_values_exceed(&v, ret_limit, ret_value, ret_max))
		return;
	*ret_limit = "job_fds";
	*ret_value = v.n_fds + 1;
	*ret_max = PROTO_JOB_FDS;
}

static void describe_inputs(const struct future *f, char *text, size_t size)
{
	const char *limit;
	uint64_t value, max;

	limit_of_inputs(f, &limit, &value, &max);
	snprintf(text, size, "its inputs bring %llu %s, at most %llu may be",
		(unsigned long long)value, limit, (unsigned long long)max);
}

void failure_describe(const struct future *f, char *text, size_t size)
{
	const struct pool *pool = future_pool(f);

	switch (f->failure) {
	case FAILURE_FUNCTION: describe_function_failure(f, text, size); break;
	case FAILURE_EXIT:
		snprintf(text, size, "the command exited with code %lld",
			detail_int(future_value(f), "exit_code"));
		break;
	case FAILURE_SIGNAL:
		snprintf(text, size, "the command was killed by signal %lld",
			detail_int(future_value(f), "signal"));
		break;
	case FAILURE_TOO_LARGE: describe_large(f, text, size); break;
	case FAILURE_INPUTS: describe_inputs(f, text, size); break;
	case FAILURE_QUOTA:
		snprintf(text, size,
			"the pool's max_result of %llu bytes does not fit in your quota of %llu",
			(unsigned long long)pool->config.max_result_bytes,
			(unsigned long long)pool->core->accounts.limits.uid.n[ACCOUNT_BYTES]);
		break;
	case FAILURE_HELD:
		snprintf(text, size,
			"the pool's max_result of %llu bytes does not fit beside what waiting jobs "
			"and "
			"their inputs hold of your quota of %llu",
			(unsigned long long)pool->config.max_result_bytes,
			(unsigned long long)pool->core->accounts.limits.uid.n[ACCOUNT_BYTES]);
		break;
	case FAILURE_TIMEOUT: describe_time_out(f, text, size); break;
	case FAILURE_POISON:
		snprintf(text, size, "%u workers died under it",
			future_terms(f) ? future_terms(f)->n_deaths : 1);
		break;
	case FAILURE_CANCELLED: snprintf(text, size, "cancelled by uid %u", f->cancel_uid); break;
	case FAILURE_LOST: describe_loss(f, text, size); break;
	case FAILURE_SHUTDOWN: snprintf(text, size, "the daemon stopped"); break;
	case FAILURE_POOL: describe_pool(f, text, size); break;
	case FAILURE_INPUT:
		snprintf(text, size, "future %llu, which it depended on, is not done",
			(unsigned long long)edges_root(f));
		break;
	case FAILURE_NONE: text[0] = 0; break;
	}
}

static void pack_word(struct bufpack *p, const char *key, const char *word)
{
	bufpack_text(p, key);
	bufpack_text(p, word);
}

static void pack_cancel_details(struct bufpack *p, const struct future *f)
{
	static const char *const modes[] = {
		[CANCEL_QUEUED] = "queued", [CANCEL_TERM] = "term", [CANCEL_KILL] = "kill"};
	bool has_reason = future_extra(f) && future_extra(f)->reason;

	bufpack_map(p, 3 + has_reason);
	bufpack_text(p, "uid");
	bufpack_uint(p, f->cancel_uid);
	bufpack_text(p, "time");
	bufpack_seconds(p, clock_unix_us(future_finished_us(f)));
	pack_word(p, "mode", modes[f->cancel_mode]);
	if (has_reason)
		pack_word(p, "reason", future_extra(f)->reason);
}

/* The value as it is, but with nil in place of each memfd. */
static void pack_without_fds(struct bufpack *p, const struct payload *value)
{
	struct cursor c = cursor_of(value->bytes, value->len);

	while (!cursor_at_end(&c)) {
		const uint8_t *from = c.p;

		if (cursor_fd_index(&c))
			bufpack_nil(p);
		else if (cursor_step(&c))
			bufpack_raw(p, from, (size_t)(c.p - from));
		else
			return;
	}
}

void failure_pack_details(struct bufpack *p, const struct future *f)
{
	static const char *const clocks[] = {[FUTURE_CLOCK_NONE] = "timeout",
		[FUTURE_CLOCK_START_WITHIN] = "start_within",
		[FUTURE_CLOCK_TIMEOUT] = "timeout",
		[FUTURE_CLOCK_DEADLINE] = "deadline"};
	uint64_t value, max;
	const char *limit;

	switch (f->failure) {
	case FAILURE_INPUTS:
		limit_of_inputs(f, &limit, &value, &max);
		bufpack_map(p, 3);
		outcome_pack_limit(p, limit, value, max);
		break;
	case FAILURE_QUOTA:
	case FAILURE_HELD:
		bufpack_map(p, 3);
		outcome_pack_limit(p, "max_result", future_pool(f)->config.max_result_bytes,
			future_pool(f)->core->accounts.limits.uid.n[ACCOUNT_BYTES]);
		break;
	case FAILURE_TIMEOUT:
		bufpack_map(p, 1);
		pack_word(p, "clock", clocks[f->clock]);
		break;
	case FAILURE_POISON:
		bufpack_map(p, 1);
		bufpack_text(p, "deaths");
		attempts_pack_deaths(p, f);
		break;
	case FAILURE_CANCELLED: pack_cancel_details(p, f); break;
	case FAILURE_SHUTDOWN:
	case FAILURE_POOL:
		bufpack_map(p, 1);
		pack_word(p, "cause", f->failure == FAILURE_SHUTDOWN ? "shutdown" : "pool_removed");
		break;
	case FAILURE_INPUT:
		bufpack_map(p, 2);
		pack_word(p, "cause", "input");
		bufpack_text(p, "id");
		bufpack_uint(p, edges_root(f));
		break;
	default:
		if (future_value(f) && !payload_is_spilled(future_value(f)))
			pack_without_fds(p, future_value(f));
		else
			bufpack_map(p, 0);
		break;
	}
}

void failure_pack_head(struct bufpack *p, const struct future *f)
{
	char text[PROTO_MESSAGE_TEXT_BYTES + 1];

	failure_describe(f, text, sizeof(text));
	bufpack_array(p, 3);
	bufpack_text(p, outcome_code_name(failure_code(f)));
	bufpack_text(p, text);
}

void failure_pack(struct bufpack *p, const struct future *f)
{
	failure_pack_head(p, f);
	failure_pack_details(p, f);
}
