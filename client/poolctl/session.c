/* The connection of a run of poolctl: the part of ctl.h that talks to the library. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/poolctl/ctl.h"
#include "client/poold-request.h"
#include "client/poolctl/json.h"
#include "client/poolctl/output.h"
#include "proto/limits.h"
#include "proto/quantity.h"

static inline void reply_freep(poold_reply **reply)
{
	*reply = poold_reply_unref(*reply);
}

/* What to try, by what went wrong. */
static const char *hint_of(int r)
{
	switch (-r) {
	case ENOENT:
	case ECONNREFUSED:
		return "no daemon there; \"systemctl --user enable --now poold.socket\" or "
		       "poold(8) starts one";
	case EACCES: return "you are neither owner of the socket nor in its group";
	case EPERM:
		return "its daemon is neither yours nor root's; $POOLD_SERVER_UID names one to "
		       "trust";
	case EAGAIN: return "the daemon does not answer";
	default: return NULL;
	}
}

static int connection_failed(struct ctl *ctl, poold *p, int r)
{
	const char *socket = poold_get_socket(p), *text = poold_get_error_text(p), *hint;
	struct exitcode e = exitcode_of_connection(ctl->for_job);

	if (!socket) /* there is no such path: the library says why */
		return ctl_fail(e, "no_connection", NULL, "cannot connect: %s",
			text && *text ? text : strerror(-r));
	hint = hint_of(r);
	return ctl_fail(e, "no_connection", NULL, "cannot connect to %s: %s%s%s", socket,
		strerror(-r), hint ? "; " : "", hint ? hint : "");
}

static int find_patience(struct ctl *ctl)
{
	const char *text = getenv("POOLD_TIMEOUT");

	ctl->patience_us = CTL_PATIENCE_US;
	if (text && *text && (!quantity_time(text, &ctl->patience_us) || !ctl->patience_us))
		return ctl_usage(ctl, "$POOLD_TIMEOUT: \"%s\" is no time above 0", text);
	return 0;
}

int ctl_connect(struct ctl *ctl)
{
	poold *p;
	int code, r;

	if (ctl->client)
		return 0;
	code = find_patience(ctl);
	if (code)
		return code;
	r = poold_new(&p);
	if (r < 0)
		return ctl_own_failure(ctl, r, NULL);
	r = poold_set_socket(p, ctl->socket);
	if (r == 0)
		r = poold_set_client_name(p, "poolctl");
	if (r == 0)
		r = poold_connect(p);
	if (r == 0) {
		ctl->client = p;
		return 0;
	}
	code = connection_failed(ctl, p, r);
	poold_unref(p);
	return code;
}

void ctl_close(struct ctl *ctl)
{
	ctl->client = poold_unref(ctl->client);
	ctl->signal_fd = fd_close(ctl->signal_fd);
}

int ctl_call_failed(struct ctl *ctl, int r)
{
	const char *text = poold_get_error_text(ctl->client);

	if (r == -EINTR)
		return ctl_fail(exitcode_of_interrupt(), "interrupted", NULL, "interrupted");
	if (r == -ETIMEDOUT)
		return ctl_fail(exitcode_of_connection(ctl->for_job), "no_answer", NULL,
			"the daemon at %s does not answer", poold_get_socket(ctl->client));
	if (r != -ENOTCONN && r != -EPROTO)
		return ctl_own_failure(ctl, r, text && *text ? text : NULL);
	return ctl_fail(exitcode_of_connection(ctl->for_job), "no_connection", NULL,
		"the connection to poold is lost: %s", text && *text ? text : strerror(-r));
}

int ctl_refused(struct ctl *ctl, poold_reply *reply)
{
	const char *code = "internal", *message = "";
	json_t *details = NULL;
	struct value v;

	poold_reply_get_error(reply, &code, &message);
	if (value_of_reply(&v, reply))
		details = json_from_value(&v);
	return ctl_fail(exitcode_of_refusal(ctl->for_job, outcome_code_from(code, strlen(code))),
		code, details, "%s", *message ? message : code);
}

static int pack_params(struct buf *b, json_t *params)
{
	struct bufpack p;

	if (!params)
		return -ENOMEM;
	bufpack_init(&p, b);
	json_pack_value(&p, params);
	json_decref(params);
	return bufpack_error(&p);
}

static int take_answer(struct ctl *ctl, poold_reply *reply, json_t **ret)
{
	struct value v;
	json_t *answer;

	if (poold_reply_get_error(reply, NULL, NULL) == 1)
		return ctl_refused(ctl, reply);
	answer = value_of_reply(&v, reply) ? json_from_value(&v) : NULL;
	if (!answer)
		return ctl_own_failure(ctl, -ENOMEM, NULL);
	*ret = answer;
	return 0;
}

int ctl_ask(struct ctl *ctl, const char *method, json_t *params, json_t **ret)
{
	cleanup(reply_freep) poold_reply *reply = NULL;
	poold_request_args args = POOLD_REQUEST_INIT;
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	int code, r;

	r = pack_params(&b, params);
	code = r < 0 ? ctl_own_failure(ctl, r, method) : ctl_connect(ctl);
	if (code == 0) {
		args.params = buf_head(&b);
		args.params_len = buf_used(&b);
		r = poold_request(ctl->client, method, &args, ctl->patience_us, &reply);
		code = r < 0 ? ctl_call_failed(ctl, r) : take_answer(ctl, reply, ret);
	}
	buf_deinit(&b);
	return code;
}

int ctl_hello(struct ctl *ctl, json_t **ret)
{
	cleanup(reply_freep) poold_reply *reply = NULL;
	int r;

	r = poold_hello(ctl->client, ctl->patience_us, &reply);
	return r < 0 ? ctl_call_failed(ctl, r) : take_answer(ctl, reply, ret);
}

/* Root's daemon may listen for another user, and systemd for both: the kernel's word and the
 * daemon's must agree that it is ours. */
int ctl_is_own(struct ctl *ctl, bool *ret)
{
	const json_t *uid;
	json_t *hello;
	uid_t listens;
	int code, r;

	r = poold_get_server_uid(ctl->client, &listens);
	if (r < 0)
		return ctl_call_failed(ctl, r);
	code = ctl_hello(ctl, &hello);
	if (code)
		return code;
	uid = json_object_get(hello, "uid");
	*ret = json_is_integer(uid) && json_integer_value(uid) == (json_int_t)geteuid() &&
	       (listens == geteuid() || listens == 0);
	json_decref(hello);
	return 0;
}
