/* A failure in place of a value. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/worker/job.h"
#include "proto/outcome.h"
#include "proto/text.h"

static bool is_code(const char *code)
{
	size_t n = code ? strlen(code) : 0;

	return n > 0 && n <= PROTO_NAME_BYTES &&
	       strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == n;
}

static void printf_like(3, 0)
	set_failure(struct result *res, const char *code, const char *format, va_list ap)
{
	result_clear_value(res);
	res->is_failed = true;
	snprintf(res->code, sizeof(res->code), "%s", is_code(code) ? code : "failed");
	vsnprintf(res->message, sizeof(res->message), format, ap);
	text_clean(res->message, strlen(res->message));
}

poold_public int poold_job_fail(poold_job *job, const char *code, const char *format, ...)
{
	va_list ap;

	if (job->result.is_too_large)
		return -EBADMSG;
	va_start(ap, format);
	set_failure(&job->result, code, format, ap);
	va_end(ap);
	return -EBADMSG;
}

poold_public int poold_job_fail_data(
	poold_job *job, const char *code, const char *message, const void *encoded, size_t len)
{
	struct result *res = &job->result;

	if (res->is_too_large)
		return -EBADMSG;
	poold_job_fail(job, code, "%s", message ? message : "");
	if (len <= PROTO_DATA_BYTES && len <= result_room(res) &&
		result_is_plain(encoded, len, PROTO_VALUE_DEPTH) &&
		buf_append(&res->body, encoded, len) < 0)
		buf_truncate(&res->body, res->begin);
	return -EBADMSG;
}

int result_too_large(struct poold_job *job, const char *limit, uint64_t value, uint64_t max)
{
	struct bufpack p;

	poold_job_fail(job, "too_large", "The result has %llu, %s allows %llu",
		(unsigned long long)value, limit, (unsigned long long)max);
	bufpack_init(&p, &job->result.body);
	bufpack_map(&p, 3);
	outcome_pack_limit(&p, limit, value, max);
	if (bufpack_error(&p) < 0)
		buf_truncate(&job->result.body, job->result.begin);
	job->result.is_too_large = true;
	return -EFBIG;
}

int result_too_many_fds(struct poold_job *job)
{
	return result_too_large(job, "result_fds", PROTO_RESULT_FDS + 1, PROTO_RESULT_FDS);
}
