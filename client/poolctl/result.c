#include <errno.h>

#include "client/poolctl/ids.h"
#include "client/poold-request.h"
#include "client/poolctl/job.h"
#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/stream.h"
#include "client/poolctl/verb.h"

struct args {
	struct opt_time timeout;
	bool release;
};

static const struct opt options[] = {
	{'t', "timeout", "TIME", "wait no longer than this; 0 only looks", OPT_TIME,
		offsetof(struct args, timeout)},
	{0, "release", NULL, "forget the future once its result is printed", OPT_FLAG,
		offsetof(struct args, release)},
	{0},
};

/* What a command wrote before it was stopped or lost. A future that has no such output is an error
 * answer. */
static int print_output(struct ctl *ctl, uint64_t id, bool *ret_any)
{
	struct stream s = {.ctl = ctl, .id = id, .name = "stdout"};
	int r = stream_read(&s);

	*ret_any = s.any;
	stream_deinit(&s);
	return r;
}

/* What there is of a job that is not done. True if it was anything. */
static int print_remains(struct ctl *ctl, poold_future *f, bool *ret_any)
{
	struct value details;

	if (!value_of_details(&details, f) || !value_is_of_command(&details))
		return print_output(ctl, poold_future_get_id(f), ret_any);
	*ret_any = ending_print_value(&details);
	return 0;
}

static int print_failure(struct ctl *ctl, poold_future *f)
{
	struct ending e = ending_of(ctl, f);
	bool any;
	int r;

	r = print_remains(ctl, f, &any);
	if (r < 0)
		return ctl_call_failed(ctl, r);
	if (any)
		return EXITCODE_OK;
	ending_complain(&e, poold_future_get_id(f));
	return EXITCODE_FALSE;
}

static bool has_output(poold_future *f)
{
	const void *bytes;
	size_t len;

	return poold_future_get_output(f, 1, &bytes, &len, NULL) >= 0 && len > 0;
}

/* One stream of a command that was stopped or lost, into the document; of what is no command,
 * nothing. */
static int add_stream(
	struct ctl *ctl, uint64_t id, const char *name, json_t *document, bool *ret_any)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);
	struct stream s = {.ctl = ctl, .id = id, .name = name, .into = &bytes};
	int r = stream_read(&s);

	if (r == 0 && !s.refusal &&
		json_object_set_new(
			document, name, json_from_bytes(buf_head(&bytes), buf_used(&bytes))) < 0)
		r = -ENOMEM;
	*ret_any = s.any;
	stream_deinit(&s);
	buf_deinit(&bytes);
	return r;
}

static int add_remains(struct ctl *ctl, poold_future *f, json_t *document, bool *ret_any)
{
	uint64_t id = poold_future_get_id(f);
	struct value details;
	bool any;
	int r;

	if (value_of_details(&details, f) && value_is_of_command(&details)) {
		*ret_any = has_output(f);
		return 0;
	}
	r = add_stream(ctl, id, "stdout", document, ret_any);
	return r < 0 ? r : add_stream(ctl, id, "stderr", document, &any);
}

static int print_document(struct ctl *ctl, poold_future *f)
{
	struct ending e = ending_of(ctl, f);
	json_t *document = ending_document(&e, f, true);
	bool any = false;
	int r = 0;

	if (e.state != POOLD_DONE && document) {
		r = add_remains(ctl, f, document, &any);
		e.exit.code = any ? EXITCODE_OK : EXITCODE_FALSE;
		if (r == 0 &&
			json_object_set_new(document, "exit_code", json_integer(e.exit.code)) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		json_decref(document);
		return ctl_call_failed(ctl, r);
	}
	output_document(document);
	return e.exit.code;
}

static int print_end(struct ctl *ctl, poold_future *f)
{
	struct value result;

	switch (poold_future_get_state(f)) {
	case POOLD_REFUSED: return job_tell_refusal(ctl, f);
	case POOLD_DISCONNECTED: return ctl_call_failed(ctl, -ENOTCONN);
	case POOLD_DONE:
		if (ctl->json)
			return print_document(ctl, f);
		if (value_of_result(&result, f))
			ending_print_value(&result);
		return EXITCODE_OK;
	default: return ctl->json ? print_document(ctl, f) : print_failure(ctl, f);
	}
}

static int print_and_release(struct ctl *ctl, const struct args *a, poold_future *f)
{
	uint64_t id = poold_future_get_id(f);
	int code, r;

	code = print_end(ctl, f);
	output_flush();
	if (!a->release || output_has_failed() || poold_future_get_state(f) == POOLD_REFUSED)
		return code;
	r = poold_release(ctl->client, &id, 1, NULL);
	return r < 0 ? ctl_call_failed(ctl, r) : code;
}

static int wait_and_print(struct ctl *ctl, const struct args *a, uint64_t id)
{
	uint64_t until_us = loop_until(a->timeout.set ? a->timeout.us : POOLD_FOREVER);
	cleanup(future_freep) poold_future *f = NULL;
	poold_state state;
	int r, code, came;

	r = job_open(ctl, id, &f);
	if (r < 0)
		return ctl_call_failed(ctl, r);
	code = job_await(ctl, f, until_us, &came, &state);
	if (code)
		return code;
	if (came)
		return job_tell_unfinished(ctl, id, state);
	return print_and_release(ctl, a, f);
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct ids ids;
	int code;

	code = ids_parse(ctl, argc, argv, 1, 1, &ids);
	if (code)
		return code;
	code = ctl_connect(ctl);
	if (code == 0)
		code = wait_and_print(ctl, values, ids.ids[0]);
	ids_deinit(&ids);
	return code;
}

const struct verb verb_result = {
	.name = "result",
	.operands = "ID",
	.doc = "Wait for a result and print it",
	.more = "Of a command: its standard output, also if it failed; of a function: its bytes or "
		"text, or\n"
		"its value as JSON.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
