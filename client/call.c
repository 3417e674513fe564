/* Requests under way, by their msgid, and what to do with each message that arrives. An answer to a
 * msgid that nobody waits for is dropped, and so are unknown notifications: a later daemon may have
 * more to say. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/poold-request.h"
#include "proto/text.h"

int cl_call_begin_small(struct cl_draft *d, poold *p, struct cl_call *call, const char *method)
{
	if (cl_table_reserve(&p->calls, 1) < 0)
		return cl_fail(p, -ENOMEM, "no memory for a request");
	cl_draft_begin_small(d, p);
	/* a number that is still in use after 2^32 others is passed over */
	do
		call->by_msgid.key = (uint32_t)++p->last_msgid;
	while (p->last_msgid > UINT32_MAX && cl_table_find(&p->calls, call->by_msgid.key));
	rpc_pack_request(&d->pk, (uint32_t)call->by_msgid.key, method);
	return 0;
}

int cl_call_begin(struct cl_draft *d, poold *p, struct cl_call *call, const char *method)
{
	int r = cl_draft_check(p);

	return r < 0 ? r : cl_call_begin_small(d, p, call, method);
}

int cl_call_commit(struct cl_draft *d, struct cl_call *call)
{
	int r = cl_draft_commit(d);

	if (r == 0)
		cl_table_add(&d->p->calls, call->by_msgid.key, &call->by_msgid);
	return r;
}

static struct cl_call *call_of(struct cl_node *node)
{
	return node ? container_of(node, struct cl_call, by_msgid) : NULL;
}

void cl_call_lose_all(poold *p, int *ret_cb)
{
	struct cl_call *call;
	size_t at = 0;

	/* what callbacks ask for from here on is refused, so nothing is added */
	while ((call = call_of(cl_table_take_any(&p->calls, &at))))
		(void)call->on_answer(p, call, NULL, ret_cb);
	cl_table_deinit(&p->calls);
}

/* [code, message]: the last thing that a daemon says to a client that broke the protocol. */
static int on_fatal(poold *p, const struct rpc *rpc)
{
	struct cursor c = rpc->params;
	const char *code = "", *message = "";
	char shown_code[64], shown[384];
	size_t code_len = 0, len = 0;

	if (rpc->n_params < 2 || !cursor_text(&c, &code, &code_len) ||
		!cursor_text(&c, &message, &len))
		return cl_fail(p, -EPROTO, "the daemon ended the connection");
	return cl_fail(p, -EPROTO, "the daemon ended the connection: %s: %s",
		text_escape(shown_code, sizeof(shown_code), code, code_len),
		text_escape(shown, sizeof(shown), message, len));
}

int cl_call_dispatch(poold *p, struct cl_message *m, int *ret_cb)
{
	struct cl_call *call;
	int r;

	switch (m->rpc.type) {
	case RPC_ANSWER:
		call = call_of(cl_table_take(&p->calls, m->rpc.msgid));
		r = call ? call->on_answer(p, call, m, ret_cb) : 0;
		break;
	case RPC_NOTIFICATION:
		if (text_equal(m->rpc.method, m->rpc.method_len, "final"))
			r = cl_final_take(p, m, ret_cb);
		else if (text_equal(m->rpc.method, m->rpc.method_len, "event"))
			r = cl_watch_event(p, m, ret_cb);
		else if (text_equal(m->rpc.method, m->rpc.method_len, "fatal"))
			return on_fatal(p, &m->rpc);
		else
			return 0;
		break;
	default: return cl_fail(p, -EPROTO, "the daemon sent a request");
	}
	if (r == -EPROTO)
		return cl_fail(p, r, "the daemon sent %s that is wrong",
			m->rpc.type == RPC_ANSWER ? "an answer" : "a notification");
	if (r < 0)
		return cl_fail(p, r, "no room for what the daemon sent: %s", strerrordesc_np(-r));
	return 0;
}

/* {…, limits: {message_bytes, …}} */
static void note_limits(poold *p, struct cursor c)
{
	const char *key;
	uint32_t n;
	uint64_t v;
	size_t len;

	if (!cursor_map(&c, &n))
		return;
	while (n-- > 0 && cursor_text(&c, &key, &len)) {
		if (text_equal(key, len, "limits")) {
			if (!cursor_map(&c, &n))
				return;
			continue;
		}
		if (text_equal(key, len, "message_bytes") && cursor_uint(&c, &v)) {
			cl_io_set_message_bytes(p, v);
			return;
		}
		if (!cursor_skip(&c, NULL))
			return;
	}
}

static int on_hello(poold_reply *reply, void *userdata)
{
	poold *p = userdata;

	poold_reply_unref(p->hello);
	p->hello = poold_reply_ref(reply);
	if (!cl_value_is_error(&reply->value))
		note_limits(p, cl_value_encoded(&reply->value));
	return 0;
}

int cl_call_send_hello(poold *p)
{
	struct cl_request *q;
	struct cl_draft d;
	int r = cl_request_begin(&d, p, "hello", on_hello, p, &q);

	if (r < 0)
		return r;
	p->hello = poold_reply_unref(p->hello);
	bufpack_array(&d.pk, 1);
	bufpack_map(&d.pk, 3);
	bufpack_text(&d.pk, "client");
	bufpack_text(&d.pk, p->client_name);
	bufpack_text(&d.pk, "version");
	bufpack_text(&d.pk, poold_version());
	bufpack_text(&d.pk, "fds");
	bufpack_bool(&d.pk, true);
	return cl_request_commit(&d, q);
}
