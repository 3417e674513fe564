/* A result or failure in the worker's answer. */
#include "daemon/worker/job.h"

/* Envelope, meas and the keys of a failure. */
#define FRAME_BYTES 256u

/* What was set since `begin`. */
static size_t value_len(const struct result *res)
{
	return buf_used(&res->body) - res->begin;
}

static uint8_t *encode_value(uint8_t *at, const struct result *res)
{
	size_t len = value_len(res);

	return len > 0 ? encode_bytes(at, buf_head(&res->body) + res->begin, len) : encode_nil(at);
}

static void pack_value(struct bufpack *p, const struct result *res)
{
	uint8_t *at = bufpack_open(p, value_len(res) + 1);

	if (at)
		bufpack_close(p, encode_value(at, res));
}

static void pack_elements(struct bufpack *p, const struct result *res)
{
	bufpack_array(p, res->n_elements);
	if (res->begin > 0)
		bufpack_raw(p, buf_head(&res->body), res->begin);
}

static void pack_meter(struct bufpack *p, const struct meter *m)
{
	uint8_t *at = bufpack_open(p, METER_BYTES);

	if (at)
		bufpack_close(p, meter_encode(at, m));
}

static void pack_failure(struct bufpack *p, const struct poold_job *job)
{
	const struct result *res = &job->result;

	rpc_pack_answer(p, job->msgid);
	bufpack_array(p, 3);
	bufpack_text(p, res->code);
	bufpack_text(p, res->message);
	bufpack_map(p, res->is_array ? 4 : 2);
	bufpack_text(p, "data");
	pack_value(p, res);
	bufpack_text(p, "meas");
	pack_meter(p, &job->meter);
	if (res->is_array) {
		bufpack_field_uint(p, "index", res->n_elements);
		bufpack_text(p, "results");
		pack_elements(p, res);
	}
	bufpack_nil(p);
}

static void pack_array(struct bufpack *p, const struct poold_job *job)
{
	rpc_pack_answer(p, job->msgid);
	bufpack_nil(p);
	bufpack_array(p, 2);
	pack_elements(p, &job->result);
	pack_meter(p, &job->meter);
}

static void pack_result(struct bufpack *p, const struct poold_job *job)
{
	uint8_t *at = bufpack_open(
		p, 4 + ENCODE_UINT_BYTES + 1 + value_len(&job->result) + METER_BYTES);

	if (!at)
		return;
	at = encode_array(at, 4);
	at = encode_uint(at, RPC_ANSWER);
	at = encode_uint(at, job->msgid);
	at = encode_nil(at);
	at = encode_array(at, 2);
	at = encode_value(at, &job->result);
	bufpack_close(p, meter_encode(at, &job->meter));
}

void result_pack(struct bufpack *p, const struct poold_job *job)
{
	if (job->result.is_failed)
		pack_failure(p, job);
	else if (job->result.is_array)
		pack_array(p, job);
	else
		pack_result(p, job);
}

size_t result_pack_len(const struct result *res)
{
	return FRAME_BYTES + buf_used(&res->body) +
	       (res->is_failed ? sizeof(res->code) + sizeof(res->message) : 0);
}
