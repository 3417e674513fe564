#include "client/poolctl/job.h"

#include "client/poold-request.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"

#define SIGNAL_PATIENCE_US 1000000u

/* Without a function the value is put. */
int job_submit(struct ctl *ctl, const char *function, const struct input *in,
	const poold_options *options, poold_future **ret)
{
	int r;

	do {
		r = function ? poold_submit(ctl->client, function, in->value, options, ret)
			     : poold_put(ctl->client, in->value, options, ret);
	} while (r == -EAGAIN && (r = poold_flush(ctl->client, POOLD_FOREVER)) >= 0);
	return r;
}

int job_tell_refusal(struct ctl *ctl, poold_future *f)
{
	struct ending e = ending_of(ctl, f);
	const char *why = *e.message ? e.message : e.code;
	unsigned long long id = poold_future_get_id(f);
	struct value v;
	json_t *details = value_of_details(&v, f) ? json_from_value(&v) : NULL;

	if (id)
		return ctl_fail(e.exit, e.code, details, "%llu: %s", id, why);
	return ctl_fail(e.exit, e.code, details, "%s", why);
}

static bool is_settled(const poold_future *f)
{
	return poold_future_get_state(f) >= POOLD_DONE;
}

static bool is_to_end(int signo)
{
	return signo && signo != SIGTSTP;
}

/* 1: its ID, or a refusal, is known. 0: not in time. Where signals are caught, one is owed to the
 * job, if it is known soon enough, and ends the wait else. */
static int wait_id(struct ctl *ctl, poold_future *f)
{
	uint64_t until_us = loop_until(ctl->patience_us);
	int came = 0;

	if (ctl->signal_fd < 0)
		return poold_future_wait_id(f, ctl->patience_us);
	while (!poold_future_get_id(f) && !is_settled(f) && !(came & LOOP_TIME)) {
		came = loop_turn(ctl, -1, until_us);
		if (came < 0)
			return came;
		if (!(came & LOOP_SIGNAL))
			continue;
		if (is_to_end(ctl->owed_signo))
			return -EINTR;
		ctl->owed_signo = ctl->signo;
		if (is_to_end(ctl->signo))
			until_us = loop_until(SIGNAL_PATIENCE_US);
	}
	if (poold_future_get_id(f) || is_settled(f))
		return 1;
	return is_to_end(ctl->owed_signo) ? -EINTR : 0;
}

/* Admission may take its time, and so may sending a large input; but a daemon that does not answer
 * a ping either hangs. */
static int await_id(struct ctl *ctl, poold_future *f)
{
	int r;

	do
		r = wait_id(ctl, f);
	while (r == 0 && (r = loop_ping(ctl)) == 0);
	return r;
}

int job_hand_in(struct ctl *ctl, const char *function, struct input *in,
	const poold_options *options, poold_future **ret)
{
	poold_future *f;
	int r = 0, code = ctl_connect(ctl);

	if (code == 0)
		r = job_submit(ctl, function, in, options, &f);
	input_deinit(in);
	if (code)
		return code;
	if (r < 0)
		return ctl_call_failed(ctl, r);
	r = await_id(ctl, f);
	if (r < 0)
		code = ctl_call_failed(ctl, r);
	else if (poold_future_get_state(f) == POOLD_REFUSED)
		code = job_tell_refusal(ctl, f);
	if (code)
		poold_future_unref(f);
	else
		*ret = f;
	return code;
}

int job_open(struct ctl *ctl, uint64_t id, poold_future **ret)
{
	int r;

	do {
		r = poold_future_open(ctl->client, id, ret);
	} while (r == -EAGAIN && (r = poold_flush(ctl->client, POOLD_FOREVER)) >= 0);
	return r;
}

int job_ask(struct ctl *ctl, poold_future *f, poold_state *ret_state)
{
	poold_state state;
	int r;

	r = poold_poll(ctl->client, poold_future_get_id(f), &state);
	if (r == -ENOENT)
		state = POOLD_REFUSED;
	else if (r < 0)
		return r;
	if (state >= POOLD_DONE)
		r = poold_future_wait(f, POOLD_FOREVER);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_state = state;
	return 0;
}

int job_await(
	struct ctl *ctl, poold_future *f, uint64_t until_us, int *ret_came, poold_state *ret_state)
{
	poold_state state;
	int r, came = 0;

	while (!is_settled(f) && !came) {
		came = loop_turn(ctl, -1, until_us);
		if (came < 0)
			return ctl_call_failed(ctl, came);
	}
	state = poold_future_get_state(f);
	if (!is_settled(f) && (came & LOOP_TIME)) {
		r = loop_ping(ctl);
		if (r == 0)
			r = job_ask(ctl, f, &state);
		if (r < 0)
			return ctl_call_failed(ctl, r);
	}
	*ret_came = is_settled(f) ? 0 : came;
	*ret_state = state;
	return 0;
}

int job_tell_end(struct ctl *ctl, poold_future *f)
{
	struct ending e = ending_of(ctl, f);

	if (ctl->json)
		output_document(ending_document(&e, f, false));
	else if (e.state != POOLD_DONE && strcmp(e.code, "exit") != 0 && !ctl->quiet)
		ending_complain(&e, poold_future_get_id(f));
	return e.exit.code;
}

int job_tell_interrupt(struct ctl *ctl, uint64_t id)
{
	return ctl_fail(exitcode_of_interrupt(), "interrupted", NULL,
		"interrupted; job %llu goes on", (unsigned long long)id);
}

int job_tell_unfinished(struct ctl *ctl, uint64_t id, poold_state state)
{
	struct exitcode e = exitcode_of_job(OUTCOME_QUEUED, OUTCOME_E_NONE, -1, 0);

	if (!ctl->for_job)
		e = exitcode_plain(e);
	if (ctl->json)
		output_document(json_pack("{s:I, s:s, s:i, s:s}", "id", (json_int_t)id, "state",
			poold_state_name(state), "exit_code", e.code, "exit_source",
			exitcode_source_name(e.source)));
	else
		output_say("the time is over: %llu is %s", (unsigned long long)id,
			poold_state_name(state));
	return e.code;
}

void job_print_id(struct ctl *ctl, uint64_t id, const char *what)
{
	if (ctl->json)
		output_document(json_pack("{s:I}", "id", (json_int_t)id));
	else if (ctl->quiet || !output_is_terminal())
		output_line("%llu", (unsigned long long)id);
	else
		output_line("%s %llu; \"poolctl %s %llu\" %s it", what, (unsigned long long)id,
			*what == 'j' ? "wait" : "release", (unsigned long long)id,
			*what == 'j' ? "waits for" : "forgets");
	output_flush();
}
