/* The generic request: any method, its parameters encoded by the caller. The reply is made together
 * with the request, so that telling its end needs no memory but for what it holds. */
#include <errno.h>

#include "client/client_internal.h"

#include "client/poold-request.h"

struct cl_request {
	struct cl_call call;
	poold_reply_callback callback;
	void *userdata;
	poold_reply *reply;
};

static void free_request(struct cl_request *q)
{
	poold_reply_unref(q->reply);
	free(q);
}

static int on_answer(poold *p, struct cl_call *call, struct cl_message *m, int *ret_cb)
{
	struct cl_request *q = container_of(call, struct cl_request, call);
	int r = 0;

	if (!m)
		r = -ENOTCONN;
	else if (cl_message_is_error(m))
		r = cl_value_take_error(&q->reply->value, m, &m->rpc.error);
	else
		r = cl_value_take_result(&q->reply->value, m, &m->rpc.result);
	if (r < 0) {
		/* also if what came could not be kept: the connection ends for that */
		q->reply->is_lost = true;
		cl_value_set_disconnected(&q->reply->value);
	}
	if (q->callback && !p->is_closing) {
		int cb = q->callback(q->reply, q->userdata);

		if (cb < 0 && *ret_cb == 0)
			*ret_cb = cb;
	}
	free_request(q);
	return r;
}

int cl_request_begin(struct cl_draft *d, poold *p, const char *method,
	poold_reply_callback callback, void *userdata, struct cl_request **ret)
{
	struct cl_request *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->reply = calloc(1, sizeof(*q->reply));
	if (!q->reply) {
		free(q);
		return -ENOMEM;
	}
	q->reply->n_refs = 1;
	q->call.on_answer = on_answer;
	q->callback = callback;
	q->userdata = userdata;
	r = cl_call_begin(d, p, &q->call, method);
	if (r < 0) {
		free_request(q);
		return r;
	}
	*ret = q;
	return 0;
}

void cl_request_abort(struct cl_draft *d, struct cl_request *q)
{
	cl_draft_abort(d);
	free_request(q);
}

int cl_request_commit(struct cl_draft *d, struct cl_request *q)
{
	int r = cl_call_commit(d, &q->call);

	if (r < 0)
		free_request(q);
	return r;
}

void cl_request_forget(struct cl_request *q)
{
	q->callback = NULL;
}

/* The parameters are one encoded array, and name exactly the fds that are there. */
static int pack_args(struct cl_draft *d, const poold_request_args *args)
{
	struct cursor c;
	uint32_t n;
	int r;

	if (!args || !args->params) {
		bufpack_array(&d->pk, 0);
		return args && args->n_fds > 0 ? -EINVAL : 0;
	}
	c = cursor_of(args->params, args->params_len);
	r = cl_payload_pack_encoded(
		d, args->params, args->params_len, PROTO_DEPTH - 1, args->fds, args->n_fds);
	if (r < 0)
		return r;
	return cursor_array(&c, &n) ? 0 : -EBADMSG;
}

static int check_args(const poold *p, const char *method, const poold_request_args *args)
{
	int r = cl_check(p);

	return r < 0 ? r : !method || (args && args->size < sizeof(*args)) ? -EINVAL : 0;
}

/* Drops the request if they cannot be packed. */
static int finish_args(struct cl_draft *d, struct cl_request *q, const char *method,
	const poold_request_args *args)
{
	int r = pack_args(d, args);

	if (r == 0)
		return 0;
	cl_request_abort(d, q);
	if (r != -EBADMSG)
		return r;
	return cl_fail(d->p, r, "the parameters of %s are no array in MessagePack", method);
}

poold_public int poold_request_async(poold *p, const char *method, const poold_request_args *args,
	poold_reply_callback callback, void *userdata)
{
	struct cl_request *q;
	struct cl_draft d;
	int r = check_args(p, method, args);

	if (r == 0)
		r = cl_request_begin(&d, p, method, callback, userdata, &q);
	if (r == 0)
		r = finish_args(&d, q, method, args);
	return r < 0 ? r : cl_request_commit(&d, q);
}

poold_public int poold_request(poold *p, const char *method, const poold_request_args *args,
	uint64_t timeout_us, poold_reply **ret_reply)
{
	struct cl_answer a;
	int r = ret_reply ? check_args(p, method, args) : -EINVAL;

	if (r == 0)
		r = cl_answer_begin(&a, p, method);
	if (r == 0)
		r = finish_args(&a.draft, a.request, method, args);
	return r < 0 ? r : cl_answer_wait(&a, timeout_us, ret_reply);
}

poold_public poold_reply *poold_reply_ref(poold_reply *r)
{
	if (r)
		r->n_refs++;
	return r;
}

poold_public poold_reply *poold_reply_unref(poold_reply *r)
{
	if (r && --r->n_refs == 0) {
		cl_value_deinit(&r->value);
		free(r);
	}
	return NULL;
}

poold_public int poold_reply_get_error(
	poold_reply *r, const char **ret_code, const char **ret_message)
{
	if (!r)
		return -EINVAL;
	if (!cl_value_is_error(&r->value))
		return 0;
	if (ret_code)
		*ret_code = cl_value_code(&r->value);
	if (ret_message)
		*ret_message = cl_value_message(&r->value);
	return 1;
}

poold_public int poold_reply_get_encoded(poold_reply *r, const void **ret_encoded, size_t *ret_len)
{
	struct cursor c;

	if (!r || !ret_encoded || !ret_len)
		return -EINVAL;
	c = cl_value_encoded(&r->value);
	if (cursor_at_end(&c))
		return -ENODATA;
	*ret_encoded = c.p;
	*ret_len = cursor_len(&c);
	return 0;
}

poold_public int poold_reply_get_bytes(poold_reply *r, const void **ret_bytes, size_t *ret_len)
{
	struct cursor c;

	if (!r || !ret_bytes || !ret_len)
		return -EINVAL;
	if (cl_value_is_error(&r->value))
		return -ENODATA;
	c = cl_value_encoded(&r->value);
	return cl_value_get_bytes(&r->value, &c, ret_bytes, ret_len);
}

poold_public int poold_reply_get_fd(poold_reply *r, unsigned index, size_t *ret_len)
{
	return r ? cl_value_get_fd(&r->value, index, ret_len) : -EINVAL;
}

poold_public int poold_reply_get_part(
	poold_reply *r, unsigned index, const void **ret_bytes, size_t *ret_len)
{
	if (!r || !ret_bytes || !ret_len)
		return -EINVAL;
	return cl_value_get_part(&r->value, index, ret_bytes, ret_len);
}
