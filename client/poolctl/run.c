/* run: the command has poolctl's own standard fds; how it ended comes as its future. Where the
 * output is to be poold's to keep, it is followed by two reads that always wait at the daemon, and
 * the job is over when all three are. */
#include <errno.h>
#include <signal.h>

#include "client/poolctl/job.h"
#include "client/poold-request.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/stream.h"
#include "client/poolctl/terminal.h"
#include "client/poolctl/verb.h"

struct args {
	struct jobargs job;
	struct commandargs command;
	struct inputargs input;
	bool keep, capture, pty;
};

static const struct opt options[] = {
	{0, "keep", NULL, "keep the future and say its ID", OPT_FLAG, offsetof(struct args, keep)},
	{0, "capture", NULL, "the output goes by way of poold (so with --keep and --json)",
		OPT_FLAG, offsetof(struct args, capture)},
	{0, "pty", NULL, "a terminal of its own", OPT_FLAG, offsetof(struct args, pty)},
	INPUTARGS_FILE_OPTION(struct args, input),
	INPUTARGS_FUTURE_OPTION(struct args, input),
	COMMANDARGS_OPTIONS(struct args, command),
	JOBARGS_OPTIONS(struct args, job),
	{0},
};

struct running {
	struct ctl *ctl;
	poold_future *f;
	struct stdio io;
	bool is_own[2]; /* standard output, error: nothing of it comes through poold */
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

/* The first signal asks the job to end, the second one does not ask, the third one is for poolctl.
 */
static int pass_signal_on(struct running *run)
{
	if (++run->n_signals > 2)
		return -EINTR;
	return poold_future_cancel(run->f,
		run->n_signals > 1 ? POOLD_CANCEL_KILL : POOLD_CANCEL_TERM,
		"poolctl was interrupted");
}

/* The job stops with poolctl, and goes on with it. One that does not run yet is told nothing. */
static int stop_and_go_on(struct running *run)
{
	uint64_t id = poold_future_get_id(run->f);
	int r;

	r = poold_signal(run->ctl->client, id, SIGTSTP);
	if (run->io.has_ctty)
		terminal_restore(); /* raw again when it goes on */
	raise(SIGSTOP);
	if (r >= 0)
		r = poold_signal(run->ctl->client, id, SIGCONT);
	return r == -ENOTCONN || r == -EPROTO ? r : 0;
}

static int take_signal(struct running *run)
{
	return run->ctl->signo == SIGTSTP ? stop_and_go_on(run) : pass_signal_on(run);
}

static int follow(struct running *run)
{
	bool is_cut_off = false;
	int r = 0;

	while (!is_over(run) && r >= 0) {
		r = loop_turn(run->ctl, -1, POOLD_FOREVER);
		if (r >= 0 && (r & LOOP_SIGNAL))
			r = take_signal(run);
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
	for (unsigned i = 0; i < ARRAY_SIZE(run->streams); i++) {
		run->streams[i].over = run->is_own[i];
		r = run->is_own[i] ? 0 : stream_start(&run->streams[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* As a shell, which says nothing of a command whose reader went away. */
static int tell_end(struct running *run)
{
	int exit_code, signo = 0;

	poold_future_get_exit(run->f, &exit_code, &signo);
	if (run->is_own[0] && signo == SIGPIPE && !run->ctl->json)
		return EXITCODE_SIGNAL + SIGPIPE;
	return job_tell_end(run->ctl, run->f);
}

static int end_of_run(struct running *run, const struct args *a)
{
	uint64_t id = poold_future_get_id(run->f);
	struct value result;
	int code, r = 0;

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
	if (r < 0)
		return ctl_call_failed(run->ctl, r);
	code = stdio_finish(run->ctl, &run->io);
	terminal_restore();
	return code ? code : tell_end(run);
}

static int run_job(struct running *run, const struct args *a)
{
	int r;

	r = start_streams(run);
	if (r >= 0 && run->ctl->owed_signo) {
		run->ctl->signo = run->ctl->owed_signo;
		r = take_signal(run);
	}
	if (r >= 0)
		r = follow(run);
	return r < 0 ? ctl_call_failed(run->ctl, r) : end_of_run(run, a);
}

static int open_stdio(struct ctl *ctl, const struct args *a, struct stdio *io)
{
	bool with_output = !(a->capture || a->keep || ctl->json);
	const char *file = a->input.futures.n ? "/dev/null" : a->input.file;
	int r = 0;

	if (a->input.futures.n > 1 || (a->input.futures.n && a->input.file))
		return ctl_usage(ctl, "a command has one standard input");
	if (a->pty && (!with_output || file))
		return ctl_usage(ctl, "--pty excludes --input, --capture, --keep and --json");
	if (a->pty)
		return stdio_open_terminal(ctl, io);
	if (file)
		r = stdio_open_input(io, file, false, a->job.retries.set);
	if (r < 0)
		return ctl_own_failure(ctl, r, file);
	r = stdio_pass_own(io, with_output, a->job.retries.set);
	return r < 0 ? ctl_own_failure(ctl, r, "standard input and output") : 0;
}

static int hand_in(struct running *run, struct args *a, const poold_options *o, char *const *argv)
{
	char function[PROTO_ADDRESS_BYTES + 1];
	struct ctl *ctl = run->ctl;
	struct input in;
	int code;

	code = commandargs_check(ctl, &a->command, function);
	if (code == 0)
		code = open_stdio(ctl, a, &run->io);
	if (code == 0)
		code = input_of_command(ctl, &a->command, &run->io, argv, &in);
	if (code == 0)
		code = input_take_future(ctl, &a->input, &in);
	if (code)
		return code;
	run->is_own[0] = run->io.fds[1] >= 0;
	run->is_own[1] = run->io.fds[2] >= 0;
	/* Before the command can be heard of. */
	code = loop_catch_signals_and_stops(ctl);
	if (code)
		input_deinit(&in);
	else
		code = job_hand_in(ctl, function, &in, o, &run->f);
	if (code == 0)
		stdio_let_go(&run->io);
	return code;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct args *a = values;
	struct running running = {.ctl = ctl};
	poold_options o;
	int code;

	if (argc == 0)
		return ctl_usage(ctl, "a command is missing");
	code = jobargs_options(ctl, &a->job, &o);
	if (code)
		return code;
	o.attached = 1;
	stdio_init(&running.io);
	code = hand_in(&running, a, &o, argv);
	if (code == 0) {
		code = run_job(&running, a);
		ctl_close(ctl); /* no callback of a stream comes any more */
		poold_future_unref(running.f);
		stream_deinit(&running.streams[0]);
		stream_deinit(&running.streams[1]);
	}
	stdio_deinit(&running.io);
	terminal_restore();
	return code;
}

const struct verb verb_run = {
	.name = "run",
	.operands = "[--] COMMAND…",
	.doc = "Run a command as a job with this standard input and output, exit as it did",
	.more = "SIGINT, SIGTERM and SIGHUP cancel the job; so does the end of poolctl. SIGTSTP "
		"(^Z) stops\n"
		"both. With --pty keys go to the command alone; ^] three times cancels it.",
	.opts = options,
	.values_size = sizeof(struct args),
	.stops = true,
	.for_job = for_job,
	.run = run,
};
