/* cancel, release, signal: ending futures, forgetting them, telling commands what their authors
 * agreed on. */
#include <errno.h>
#include <string.h>

#include "daemon/reply.h"
#include "daemon/extra.h"
#include "daemon/filter.h"
#include "proto/text.h"

struct cancel_options {
	enum cancel_mode mode;
	struct text_view reason;
};

static bool read_mode(struct request *r, const char *key, void *into)
{
	static const struct {
		const char *word;
		enum cancel_mode mode;
	} modes[] = {{"queued", CANCEL_QUEUED}, {"term", CANCEL_TERM}, {"kill", CANCEL_KILL}};
	const char *word;
	size_t len;

	if (cursor_text(&r->params, &word, &len))
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
			if (text_equal(word, len, modes[i].word)) {
				*(enum cancel_mode *)into = modes[i].mode;
				return true;
			}
	return option_refuse(r, key, "\"queued\", \"term\" or \"kill\"");
}

static bool read_reason(struct request *r, const char *key, void *into)
{
	struct text_view *reason = into;

	if (!option_text(r, key, reason))
		return false;
	if (reason->len <= PROTO_REASON_BYTES && text_is_plain(reason->text, reason->len))
		return true;
	return option_refuse(r, key, "text of at most 256 bytes");
}

static const struct option cancel_options[] = {
	OPTION("mode", read_mode, struct cancel_options, mode),
	OPTION("reason", read_reason, struct cancel_options, reason),
};

static const char *cancel_one(struct request *r, uint64_t id, const struct cancel_options *o)
{
	static const char *const words[] = {
		[CANCEL_CANCELLED] = "cancelled",
		[CANCEL_CANCELLING] = "cancelling",
		[CANCEL_TOO_LATE] = "too_late",
		[CANCEL_RUNNING] = "running",
	};
	struct core *core = &r->server->core;
	enum cancel_outcome outcome;
	enum outcome_code code;
	struct future *f;
	bool was_final;

	f = request_find(r, id, &code);
	if (!f)
		return outcome_code_name(code);
	core_pin(f);
	was_final = future_state_is_final(f->state);
	outcome = core_cancel(core, f, o->mode, r->conn->uid, r->now_us);
	/* Those who wait for it are written to at the end of the turn: they will see the reason. */
	if (o->reason.text && !was_final && outcome <= CANCEL_CANCELLING)
		extra_set_reason(f, o->reason.text, o->reason.len);
	core_unpin(core, f);
	return words[outcome];
}

void request_cancel(struct request *r)
{
	struct cancel_options o = {.mode = CANCEL_TERM};
	cleanup_free const char **words = NULL;
	cleanup_free uint64_t *ids = NULL;
	struct bufpack *p;
	size_t n;

	if (!filter_or_ids(r, REQUEST_SORTED, true, &ids, &n) ||
		!option_read(r, cancel_options, ARRAY_SIZE(cancel_options), &o))
		return;
	words = calloc(n + 1, sizeof(*words));
	if (!words) {
		request_fail_errno(r, -ENOMEM);
		return;
	}
	/* First all of them, then the answer: cancelling may answer others, in the same buffer. */
	for (size_t i = 0; i < n; i++)
		words[i] = cancel_one(r, ids[i], &o);
	p = reply_begin(reply_to_request(r));
	bufpack_array(p, n);
	for (size_t i = 0; i < n; i++) {
		bufpack_array(p, 2);
		bufpack_uint(p, ids[i]);
		bufpack_text(p, words[i]);
	}
	reply_end();
}

void request_release(struct request *r)
{
	cleanup_free uint64_t *ids = NULL;
	enum outcome_code code;
	struct future *f;
	uint64_t n_released = 0;
	size_t n;

	if (!filter_or_ids(r, REQUEST_AS_GIVEN, true, &ids, &n))
		return;
	/* One that is named twice is not found again. */
	for (size_t i = 0; i < n; i++) {
		f = request_find(r, ids[i], &code);
		if (!f)
			continue;
		core_release(&r->server->core, f);
		n_released++;
	}
	bufpack_uint(reply_begin(reply_to_request(r)), n_released);
	reply_end();
}

static bool read_signo(struct request *r, int *ret)
{
	int64_t signo;

	if (request_next(r) && cursor_int(&r->params, &signo) && signo >= 1 &&
		signo <= PROTO_SIGNO_MAX) {
		*ret = (int)signo;
		return true;
	}
	request_fail(
		r, OUTCOME_E_BAD_REQUEST, "a signal is a number from 1 to %d", PROTO_SIGNO_MAX);
	return false;
}

static bool is_command(const struct future *f)
{
	return future_pool(f) && workers_config(future_pool(f))->handler == HANDLER_EXEC;
}

void request_signal(struct request *r)
{
	struct future *f = request_future(r);
	int signo, e;

	if (!f || !read_signo(r, &signo))
		return;
	if (!is_command(f)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"future %llu is no command: %s takes no signals", (unsigned long long)f->id,
			future_pool(f) ? future_pool(f)->name : "an object");
		return;
	}
	core_pin(f);
	e = core_signal(&r->server->core, f, signo, r->now_us);
	if (e == CORE_E_OVER || e == -ESRCH)
		request_fail(r, OUTCOME_E_BAD_REQUEST, "job %llu is over: %s",
			(unsigned long long)f->id,
			outcome_state_name((enum outcome_state)f->state));
	else if (e == CORE_E_NOT_RUNNING)
		request_fail(r, OUTCOME_E_NOT_READY, "job %llu does not run yet: %s",
			(unsigned long long)f->id,
			outcome_state_name((enum outcome_state)f->state));
	else if (e)
		request_fail(
			r, OUTCOME_E_FULL, "job %llu: %s", (unsigned long long)f->id, strerror(-e));
	else
		reply_true(reply_to_request(r));
	core_unpin(&r->server->core, f);
}
