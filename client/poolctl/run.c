/* run: the output of the job is followed by two reads that always wait at the daemon; how it ended
 * comes as its future. It is over when all three are. */
#include <errno.h>

#include "client/poolctl/job.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/stream.h"
#include "client/poolctl/verb.h"

struct args {
	struct jobargs job;
	struct commandargs command;
	struct inputargs input;
	bool keep;
};

static const struct opt options[] = {
	{0, "keep", NULL, "keep the future and say its ID", OPT_FLAG, offsetof(struct args, keep)},
	INPUTARGS_FILE_OPTION(struct args, input),
	COMMANDARGS_OPTIONS(struct args, command),
	JOBARGS_OPTIONS(struct args, job),
	{0},
};

struct running {
	struct ctl *ctl;
	poold_future *f;
	struct stream streams[2];
	unsigned n_signals;
};

static bool for_job(const void *values)
{
	return true;
}

static bool is_over(const struct running *run)
{
	return poold_future_get_state(run->f) >= POOLD_DONE && run->streams[0].over &&
	       run->streams[1].over;
}

/* The first signal asks the job to end, the second one does not ask, the third one is for poolctl. */
static int pass_signal_on(struct running *run)
{
	if (++run->n_signals > 2)
		return -EINTR;
	return poold_future_cancel(run->f,
		run->n_signals > 1 ? POOLD_CANCEL_KILL : POOLD_CANCEL_TERM,
		"poolctl was interrupted");
}

static int follow(struct running *run)
{
	bool is_cut_off = false;
	int r = 0;

	while (!is_over(run) && r >= 0) {
		r = loop_turn(run->ctl, -1, POOLD_FOREVER);
		if (r >= 0 && (r & LOOP_SIGNAL))
			r = pass_signal_on(run);
		if (r >= 0 && output_has_failed() && !is_cut_off) {
			is_cut_off = true;
			r = poold_future_cancel(
				run->f, POOLD_CANCEL_TERM, "nobody reads its output");
		}
	}
	return r < 0 ? r : 0;
}

static int start_streams(struct running *run)
{
	uint64_t id = poold_future_get_id(run->f);
	int r;

	run->streams[0] = (struct stream){
		run->ctl, id, "stdout", .follow = true, .tells_attempts = true};
	run->streams[1] = (struct stream){
		run->ctl, id, "stderr", .follow = true, .to_stderr = true};
	r = stream_start(&run->streams[0]);
	return r < 0 ? r : stream_start(&run->streams[1]);
}

static int end_of_run(struct running *run, const struct args *a)
{
	uint64_t id = poold_future_get_id(run->f);
	struct value result;
	int r = 0;

	if (run->streams[0].error < 0 || run->streams[1].error < 0)
		r = run->streams[run->streams[0].error < 0 ? 0 : 1].error;
	if (r < 0)
		return ctl_call_failed(run->ctl, r);
	if (value_of_result(&result, run->f) || value_of_details(&result, run->f))
		ending_warn_truncated(&result);
	if (a->keep)
		output_say("job %llu", (unsigned long long)id);
	else
		r = poold_release(run->ctl->client, &id, 1, NULL);
	return r < 0 ? ctl_call_failed(run->ctl, r) : job_tell_end(run->ctl, run->f);
}

static int run_job(struct running *run, const struct args *a)
{
	int code, r;

	code = loop_catch_signals(run->ctl);
	if (code)
		return code;
	r = start_streams(run);
	if (r >= 0)
		r = follow(run);
	return r < 0 ? ctl_call_failed(run->ctl, r) : end_of_run(run, a);
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct args *a = values;
	struct running running = {.ctl = ctl};
	char function[PROTO_ADDRESS_BYTES + 1];
	poold_options o;
	struct input in;
	int code;

	if (argc == 0)
		return ctl_usage(ctl, "a command is missing");
	code = jobargs_options(ctl, &a->job, &o);
	if (code)
		return code;
	o.attached = 1;
	code = commandargs_check(ctl, &a->command, function);
	if (code == 0)
		code = input_of_command(ctl, &a->command, &a->input, argv, &in);
	if (code == 0)
		code = job_hand_in(ctl, function, &in, &o, &running.f);
	if (code)
		return code;
	code = run_job(&running, a);
	ctl_close(ctl); /* no callback of a stream comes any more */
	poold_future_unref(running.f);
	stream_deinit(&running.streams[0]);
	stream_deinit(&running.streams[1]);
	return code;
}

const struct verb verb_run = {
	.name = "run",
	.operands = "[--] COMMAND…",
	.doc = "Run a command as a job, show its output, exit as it did",
	.more = "SIGINT, SIGTERM and SIGHUP cancel the job; so does the end of poolctl.",
	.opts = options,
	.values_size = sizeof(struct args),
	.stops = true,
	.for_job = for_job,
	.run = run,
};
