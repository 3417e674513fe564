#include "client/poolctl/job.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	struct jobargs job;
	struct commandargs command;
	struct inputargs input;
	struct stdioargs output;
	const char *function;
	const char *key;
	bool wait;
	struct opt_time wait_timeout;
};

static const struct opt options[] = {
	{'w', "wait", NULL, "wait for the end and exit as the job did", OPT_FLAG,
		offsetof(struct args, wait)},
	{0, "wait-timeout", "TIME", "with --wait: no longer than this", OPT_TIME,
		offsetof(struct args, wait_timeout)},
	{'f', "function", "POOL/FUNCTION", "call this function instead of a command", OPT_TEXT,
		offsetof(struct args, function)},
	{'k', "key", "KEY", "submitted again with the same key and content, it is the same job",
		OPT_TEXT, offsetof(struct args, key)},
	INPUTARGS_FILE_OPTION(struct args, input),
	INPUTARGS_FUTURE_OPTION(struct args, input),
	INPUTARGS_JSON_OPTION(struct args, input),
	INPUTARGS_EACH_OPTION(struct args, input),
	STDIOARGS_OPTIONS(struct args, output),
	COMMANDARGS_OPTIONS(struct args, command),
	JOBARGS_OPTIONS(struct args, job),
	{0},
};

static bool for_job(const void *values)
{
	return ((const struct args *)values)->wait;
}

static int wait_for_end(struct ctl *ctl, const struct args *a, poold_future *f)
{
	uint64_t until_us = loop_until(a->wait_timeout.set ? a->wait_timeout.us : POOLD_FOREVER);
	poold_state state;
	int code, came;

	code = job_await(ctl, f, until_us, &came, &state);
	if (code)
		return code;
	if (came & LOOP_SIGNAL)
		return job_tell_interrupt(ctl, poold_future_get_id(f));
	if (came & LOOP_TIME)
		return job_tell_unfinished(ctl, poold_future_get_id(f), state);
	return job_tell_end(ctl, f);
}

static int check_usage(struct ctl *ctl, const struct args *a, int argc)
{
	if (a->function && argc > 0)
		return ctl_usage(ctl, "a function and a command exclude each other");
	if (!a->function && argc == 0)
		return ctl_usage(ctl, "a command, or --function, is missing");
	if (a->function && commandargs_given(&a->command))
		return ctl_usage(ctl, "%s is for commands", commandargs_given(&a->command));
	if (a->function && (a->output.out || a->output.err || a->output.append))
		return ctl_usage(ctl, "--stdout, --stderr and --append are for commands");
	if (!a->function && (a->input.futures.n > 1 || (a->input.futures.n && a->input.file)))
		return ctl_usage(ctl, "a command has one standard input");
	if (!a->function && (a->input.json || a->input.each))
		return ctl_usage(
			ctl, "%s is for functions", a->input.json ? "--json-arg" : "--each");
	if (a->key && !*a->key)
		return ctl_usage(ctl, "--key: a key has 1 byte at least");
	if (a->wait_timeout.set && !a->wait)
		return ctl_usage(ctl, "--wait-timeout is for --wait");
	return 0;
}

static int make_command(
	struct ctl *ctl, struct args *a, char **argv, char *function, struct input *ret)
{
	struct stdio io;
	int code, r = 0;

	code = commandargs_check(ctl, &a->command, function);
	if (code)
		return code;
	stdio_init(&io);
	if (a->input.file)
		r = stdio_open_input(&io, a->input.file, true, a->job.retries.set);
	code = r < 0 ? ctl_own_failure(ctl, r, a->input.file)
		     : stdio_open_output(ctl, &io, &a->output);
	if (code == 0)
		code = input_of_command(ctl, &a->command, &io, argv, ret);
	if (code == 0)
		code = input_take_future(ctl, &a->input, ret);
	stdio_deinit(&io);
	return code;
}

static int hand_in(struct ctl *ctl, struct args *a, int argc, char **argv, poold_future **ret)
{
	char command_function[PROTO_ADDRESS_BYTES + 1];
	poold_options o;
	struct input in;
	int code;

	code = check_usage(ctl, a, argc);
	if (code == 0)
		code = jobargs_options(ctl, &a->job, &o);
	if (code)
		return code;
	o.key = a->key;
	o.each = a->input.each;
	if (a->function)
		code = input_of_function(ctl, &a->input, 0, NULL, &in);
	else
		code = make_command(ctl, a, argv, command_function, &in);
	if (code)
		return code;
	return job_hand_in(ctl, a->function ? a->function : command_function, &in, &o, ret);
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct args *a = values;
	cleanup(future_freep) poold_future *f = NULL;
	int code;

	code = hand_in(ctl, a, argc, argv, &f);
	if (code)
		return code;
	/* Who has read the ID may send a signal. */
	if (a->wait)
		code = loop_catch_signals(ctl);
	job_print_id(ctl, poold_future_get_id(f), "job");
	if (!a->wait || code)
		return code;
	return wait_for_end(ctl, a, f);
}

const struct verb verb_submit = {
	.name = "submit",
	.operands = "[--] COMMAND… | -f POOL/FUNCTION",
	.doc = "Hand in a job and print its ID",
	.more = "The job goes on when poolctl has ended. The ID stands alone with --quiet, or "
		"when\n"
		"standard output is no terminal.",
	.opts = options,
	.values_size = sizeof(struct args),
	.stops = true,
	.for_job = for_job,
	.run = run,
};
