/* Every wait of the library is cl_wait_until(): the pump, until something is so. */
#include <errno.h>

#include "client/client_internal.h"

#include "client/poold-request.h"

uint64_t cl_until_us(uint64_t timeout_us)
{
	uint64_t now_us;

	if (timeout_us == 0 || timeout_us == POOLD_FOREVER)
		return timeout_us;
	now_us = cl_now_us();
	return timeout_us < POOLD_FOREVER - 1 - now_us ? now_us + timeout_us : POOLD_FOREVER;
}

int cl_wait_until(poold *p, bool (*is_met)(const void *arg), const void *arg, uint64_t timeout_us)
{
	uint64_t until_us = cl_until_us(timeout_us);
	int r = cl_check(p);

	if (r < 0)
		return r;
	while (!is_met(arg)) {
		r = cl_io_turn(p, until_us);
		if (is_met(arg))
			break;
		if (r < 0)
			return r;
		if (until_us != POOLD_FOREVER && (until_us == 0 || cl_now_us() >= until_us))
			return 0;
	}
	return 1;
}

static bool is_all_sent(const void *arg)
{
	const poold *p = arg;

	/* a daemon that reads no more got less than all; the pump will tell why */
	return !p->is_deaf && buf_used(&p->out) == 0 && buf_used(&p->releases) == 0;
}

poold_public int poold_flush(poold *p, uint64_t timeout_us)
{
	int r = cl_check_open(p);

	if (r < 0)
		return r;
	poold_ref(p);
	/* what can be sent at once needs no round of the pump */
	cl_future_send_all_releases(p);
	cl_io_send(p);
	r = cl_wait_until(p, is_all_sent, p, timeout_us);
	poold_unref(p);
	return r;
}

static bool has_answer(const void *arg)
{
	const poold_future *f = arg;

	return f->state != POOLD_SENT;
}

static bool is_settled(const void *arg)
{
	return cl_future_is_settled(arg);
}

/* Of one that is POOLD_DISCONNECTED; without an ID it stays so, whatever the connection does now.
 */
static int lost_error_of(const poold_future *f)
{
	int r = f->handle ? cl_check_open(f->handle) : -ENOTCONN;

	return r < 0 ? r : -ENOTCONN;
}

/* The future and its handle are pinned: callbacks may drop them. */
static int wait_for(poold_future *f, bool (*is_met)(const void *arg), uint64_t timeout_us)
{
	poold *p = f->handle;
	int r;

	if (is_met(f))
		return 1;
	if (!p)
		return -ENOTCONN;
	poold_ref(p);
	poold_future_ref(f);
	r = cl_wait_until(p, is_met, f, timeout_us);
	if (r > 0 && f->state == POOLD_DISCONNECTED)
		r = lost_error_of(f);
	poold_future_unref(f);
	poold_unref(p);
	return r;
}

poold_public int poold_future_wait_id(poold_future *f, uint64_t timeout_us)
{
	if (!f)
		return -EINVAL;
	if (f->state == POOLD_DISCONNECTED && poold_future_get_id(f) == 0)
		return lost_error_of(f);
	return wait_for(f, has_answer, timeout_us);
}

poold_public int poold_future_wait(poold_future *f, uint64_t timeout_us)
{
	if (!f)
		return -EINVAL;
	if (f->state == POOLD_DISCONNECTED)
		return lost_error_of(f);
	return wait_for(f, is_settled, timeout_us);
}

static int keep_answer(poold_reply *reply, void *userdata)
{
	struct cl_answer *answer = userdata;

	answer->reply = poold_reply_ref(reply);
	return 0;
}

int cl_answer_begin(struct cl_answer *a, poold *p, const char *method)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (p->is_pumping)
		return cl_fail(p, -EDEADLK, "a callback cannot wait for an answer");
	a->reply = NULL;
	return cl_request_begin(&a->draft, p, method, keep_answer, a, &a->request);
}

static bool is_answered(const void *arg)
{
	const struct cl_answer *answer = arg;

	return answer->reply != NULL;
}

int cl_answer_wait(struct cl_answer *a, uint64_t timeout_us, poold_reply **ret_reply)
{
	poold *p = a->draft.p;
	int r = cl_request_commit(&a->draft, a->request);

	if (r < 0)
		return r;
	poold_ref(p);
	r = cl_wait_until(p, is_answered, a, timeout_us);
	if (!a->reply)
		cl_request_forget(a->request);
	if (r > 0 && a->reply->is_lost) {
		poold_reply_unref(a->reply);
		r = p->lost_error;
	} else if (r > 0) {
		*ret_reply = a->reply;
		r = 0;
	} else if (r == 0) {
		r = cl_fail(p, -ETIMEDOUT, "no answer within %.6g s", (double)timeout_us / 1e6);
	}
	poold_unref(p);
	return r;
}
