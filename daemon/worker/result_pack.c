/* A result or failure in the worker's answer. */
#include "daemon/worker/job.h"

/* Envelope, meas and the keys of a failure. */
#define FRAME_BYTES 256u

/* What was set since `begin`. */
static void pack_value(struct bufpack *p, const struct result *res)
{
	size_t len = buf_used(&res->body) - res->begin;

	if (len > 0)
		bufpack_raw(p, buf_head(&res->body) + res->begin, len);
	else
		bufpack_nil(p);
}

static void pack_elements(struct bufpack *p, const struct result *res)
{
	bufpack_array(p, res->n_elements);
	if (res->begin > 0)
		bufpack_raw(p, buf_head(&res->body), res->begin);
}

void result_pack(struct bufpack *p, const struct poold_job *job)
{
	const struct result *res = &job->result;

	if (!res->is_failed) {
		bufpack_nil(p);
		bufpack_array(p, 2);
		if (res->is_array)
			pack_elements(p, res);
		else
			pack_value(p, res);
		meter_pack(p, &job->meter);
		return;
	}
	bufpack_array(p, 3);
	bufpack_text(p, res->code);
	bufpack_text(p, res->message);
	bufpack_map(p, res->is_array ? 4 : 2);
	bufpack_text(p, "data");
	pack_value(p, res);
	bufpack_text(p, "meas");
	meter_pack(p, &job->meter);
	if (res->is_array) {
		bufpack_field_uint(p, "index", res->n_elements);
		bufpack_text(p, "results");
		pack_elements(p, res);
	}
	bufpack_nil(p);
}

size_t result_pack_len(const struct result *res)
{
	return FRAME_BYTES + buf_used(&res->body) +
	       (res->is_failed ? sizeof(res->code) + sizeof(res->message) : 0);
}
