#include "client/poolctl/job.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	struct jobargs job;
	struct inputargs input;
	struct opt_time wait_timeout;
};

static const struct opt options[] = {
	{0, "wait-timeout", "TIME", "wait no longer than this, then cancel it", OPT_TIME,
		offsetof(struct args, wait_timeout)},
	INPUTARGS_FILE_OPTION(struct args, input),
	INPUTARGS_FUTURE_OPTION(struct args, input),
	INPUTARGS_JSON_OPTION(struct args, input),
	INPUTARGS_EACH_OPTION(struct args, input),
	JOBARGS_OPTIONS(struct args, job),
	{0},
};

static int tell_end(struct ctl *ctl, poold_future *f)
{
	struct ending e = ending_of(ctl, f);
	struct value result;

	if (ctl->json)
		output_document(ending_document(&e, f, true));
	else if (e.state != POOLD_DONE)
		ending_complain(&e, poold_future_get_id(f));
	else if (value_of_result(&result, f))
		ending_print_value(&result);
	return e.exit.code;
}

/* The job is attached: it is cancelled when the connection closes, but so that it has a reason. */
static int give_up(struct ctl *ctl, poold_future *f, bool interrupted)
{
	poold_state state;
	int code, came, r;

	r = poold_future_cancel(
		f, POOLD_CANCEL_TERM, interrupted ? "interrupted" : "waited too long");
	if (r < 0)
		return ctl_call_failed(ctl, r);
	code = job_await(ctl, f, POOLD_FOREVER, &came, &state);
	if (code)
		return code;
	if (came & LOOP_SIGNAL)
		return ctl_fail(exitcode_of_interrupt(), "interrupted", NULL, "interrupted");
	code = tell_end(ctl, f);
	return code == EXITCODE_INTERRUPTED && !interrupted ? EXITCODE_FALSE : code;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	cleanup(future_freep) poold_future *f = NULL;
	poold_options o;
	uint64_t until_us = loop_until(a->wait_timeout.set ? a->wait_timeout.us : POOLD_FOREVER);
	poold_state state;
	struct input in;
	int code, came;

	if (argc == 0)
		return ctl_usage(ctl, "a function is missing");
	code = jobargs_options(ctl, &a->job, &o);
	if (code)
		return code;
	o.each = a->input.each;
	o.attached = 1;
	o.auto_release = 1;
	code = input_of_function(ctl, &a->input, argc - 1, argv + 1, &in);
	if (code)
		return code;
	code = job_hand_in(ctl, argv[0], &in, &o, &f);
	if (code == 0)
		code = loop_catch_signals(ctl);
	if (code == 0)
		code = job_await(ctl, f, until_us, &came, &state);
	if (code)
		return code;
	return came ? give_up(ctl, f, came & LOOP_SIGNAL) : tell_end(ctl, f);
}

const struct verb verb_call = {
	.name = "call",
	.operands = "POOL/FUNCTION [TEXT…]",
	.doc = "Call a function and print its result",
	.more = "Its input is a file, a JSON value, one text or an array of several, or nil.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
