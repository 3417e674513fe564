/* wait: every ID becomes a future of the library, and a set gives them back as they end. When the
 * time is over, the daemon is asked once more about each that is left: one may have ended just
 * then, and with a time of 0 nothing has arrived yet. */
#include <errno.h>

#include "client/poolctl/filter.h"
#include "client/poolctl/job.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	struct filter filter;
	bool any;
	struct opt_time timeout;
};

static const struct opt options[] = {
	{0, "any", NULL, "until one of them has ended", OPT_FLAG, offsetof(struct args, any)},
	{'t', "timeout", "TIME", "wait no longer than this; 0 only looks", OPT_TIME,
		offsetof(struct args, timeout)},
	FILTER_ALL_OPTION(struct args, filter),
	FILTER_OPTIONS(struct args, filter),
	{0},
};

struct waiting {
	struct ctl *ctl;
	poold_set *set;
	poold_future **futures; /* of the IDs, duplicates being the same one */
	size_t n, n_ended, n_distinct;
	bool is_several; /* also one that was chosen by what it is */
	int code;	 /* of what has ended so far */
};

static bool for_job(const void *values)
{
	return true;
}

static int tell_one_of_several(struct waiting *w, poold_future *f)
{
	struct ending e = ending_of(w->ctl, f);

	if (e.state == POOLD_DISCONNECTED)
		return -ENOTCONN;
	if (w->ctl->json)
		output_document(ending_document(&e, f, false));
	else if (w->ctl->quiet)
		output_line("%llu", (unsigned long long)poold_future_get_id(f));
	else
		output_line("%llu %s", (unsigned long long)poold_future_get_id(f),
			e.state == POOLD_REFUSED ? e.code : poold_state_name(e.state));
	output_flush();
	if (e.state != POOLD_DONE)
		w->code = EXITCODE_FALSE;
	return 0;
}

static int tell(struct waiting *w, poold_future *f)
{
	w->n_ended++;
	if (w->is_several)
		return tell_one_of_several(w, f);
	if (poold_future_get_state(f) == POOLD_DISCONNECTED)
		return -ENOTCONN;
	w->code = poold_future_get_state(f) == POOLD_REFUSED ? job_tell_refusal(w->ctl, f)
							     : job_tell_end(w->ctl, f);
	return 0;
}

static bool is_enough(const struct waiting *w, const struct args *a)
{
	return w->n_ended == w->n_distinct || (a->any && w->n_ended > 0);
}

/* Tells those that have arrived. */
static int tell_arrived(struct waiting *w, const struct args *a)
{
	poold_future *f;
	int r = 1;

	while (r > 0 && !is_enough(w, a)) {
		r = poold_set_next(w->set, 0, &f);
		if (r <= 0)
			break;
		r = tell(w, f);
		poold_future_unref(f);
		r = r < 0 ? r : 1;
	}
	return r == -ENOENT || r > 0 ? 0 : r;
}

static int open_all(struct waiting *w, const struct ids *ids)
{
	size_t i;
	int r;

	w->futures = calloc(ids->n, sizeof(*w->futures));
	if (!w->futures)
		return -ENOMEM;
	r = poold_set_new(w->ctl->client, &w->set);
	for (i = 0; r >= 0 && i < ids->n; i++) {
		r = job_open(w->ctl, ids->ids[i], &w->futures[i]);
		if (r < 0)
			break;
		w->n++;
		r = poold_set_add(w->set, w->futures[i]);
		if (r == -EBUSY) /* the same ID again */
			r = 0;
		else
			w->n_distinct++;
	}
	return r;
}

/* What had ended after all is told before what has not. */
static int finish_in_time(struct waiting *w, const struct args *a)
{
	poold_state *states = calloc(w->n, sizeof(*states));
	size_t i;
	int r = states ? loop_ping(w->ctl) : -ENOMEM;

	for (i = 0; r >= 0 && i < w->n; i++) {
		if (poold_future_get_state(w->futures[i]) < POOLD_DONE)
			r = job_ask(w->ctl, w->futures[i], &states[i]);
	}
	if (r >= 0)
		r = tell_arrived(w, a);
	for (i = 0; r >= 0 && i < w->n && !is_enough(w, a); i++) {
		if (poold_future_get_state(w->futures[i]) < POOLD_DONE)
			w->code = job_tell_unfinished(
				w->ctl, poold_future_get_id(w->futures[i]), states[i]);
	}
	free(states);
	return r;
}

static int wait_for_all(struct waiting *w, const struct args *a)
{
	uint64_t until_us = loop_until(a->timeout.set ? a->timeout.us : POOLD_FOREVER);
	int r, came = 0;

	r = tell_arrived(w, a);
	while (r >= 0 && !is_enough(w, a) && !came) {
		came = loop_turn(w->ctl, -1, until_us);
		r = came < 0 ? came : tell_arrived(w, a);
	}
	if (r < 0 || is_enough(w, a))
		return r;
	if (!(came & LOOP_SIGNAL))
		return finish_in_time(w, a);
	w->code = ctl_fail(exitcode_of_interrupt(), "interrupted", NULL, "interrupted");
	return 0;
}

static void free_waiting(struct waiting *w)
{
	size_t i;

	poold_set_free(w->set);
	for (i = 0; i < w->n; i++)
		poold_future_unref(w->futures[i]);
	free(w->futures);
}

static int wait_for_targets(struct ctl *ctl, const struct args *a, const struct targets *t)
{
	struct waiting w = {.ctl = ctl, .is_several = t->filter || t->ids.n > 1};
	int r;

	r = open_all(&w, &t->ids);
	if (r >= 0)
		r = wait_for_all(&w, a);
	free_waiting(&w);
	return r < 0 ? ctl_call_failed(ctl, r) : w.code;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	struct targets t;
	int code;

	code = targets_parse(ctl, &a->filter, false, argc, argv, &t);
	if (code)
		return code;
	code = ctl_connect(ctl);
	if (code == 0)
		code = targets_resolve(ctl, &t);
	if (code == 0)
		code = loop_catch_signals(ctl);
	if (code == 0 && t.ids.n == 0)
		output_say("nothing to wait for");
	else if (code == 0)
		code = wait_for_targets(ctl, a, &t);
	targets_deinit(&t);
	return code;
}

const struct verb verb_wait = {
	.name = "wait",
	.operands = "ID… | --all | --group GROUP",
	.doc = "Wait for the end of jobs",
	.more = "Exits as the job did; of several with 0 if all are done and 1 if any is not; with "
		"124 if\n"
		"the time is over. With options that choose futures in place of IDs it is about "
		"those that\n"
		"match when it begins.",
	.opts = options,
	.values_size = sizeof(struct args),
	.for_job = for_job,
	.run = run,
};
