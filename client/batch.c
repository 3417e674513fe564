/* One request about several futures: a submit_many, or the `deliver` of what waits again after a
 * reconnect. It holds a reference to each of them until it is answered. */
#include <errno.h>
#include <stdint.h>

#include "client/client_internal.h"

void cl_batch_free(struct cl_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		poold_future_unref(b->futures[i]);
	free(b);
}

static int refuse_all(struct cl_batch *b, struct cl_message *m)
{
	int r = 0;

	/* callbacks are due only, so that none closes the fds that the next one gets duplicates of
	 */
	for (size_t i = 0; i < b->n && r == 0; i++)
		r = cl_future_refuse(b->futures[i], m, NULL);
	return r;
}

/* [ID, …], as many as inputs went out. */
static int accept_all(struct cl_batch *b, struct cursor c)
{
	uint64_t id;
	uint32_t n;
	int r = 0;

	if (!cursor_array(&c, &n) || n != b->n)
		return -EPROTO;
	for (size_t i = 0; i < b->n && r == 0; i++)
		r = cursor_uint(&c, &id) ? cl_future_accept(b->futures[i], id) : -EPROTO;
	return r;
}

static int on_answer(poold *p, struct cl_call *call, struct cl_message *m, int *ret_cb)
{
	struct cl_batch *b = container_of(call, struct cl_batch, call);
	int r = 0;

	if (m && cl_message_is_error(m))
		r = refuse_all(b, m);
	else if (m && !b->is_deliver)
		r = accept_all(b, m->rpc.result);
	cl_batch_free(b);
	return r;
}

int cl_batch_new(size_t n, struct cl_batch **ret)
{
	struct cl_batch *b;

	if (n > (SIZE_MAX - sizeof(*b)) / sizeof(b->futures[0]))
		return -ENOMEM;
	b = calloc(1, sizeof(*b) + n * sizeof(b->futures[0]));
	if (!b)
		return -ENOMEM;
	b->call.on_answer = on_answer;
	*ret = b;
	return 0;
}

void cl_batch_add(struct cl_batch *b, poold_future *f)
{
	b->futures[b->n++] = poold_future_ref(f);
}

static int send_deliver(struct cl_batch *b, poold *p)
{
	struct cl_draft d;
	int r;

	if (b->n == 0) {
		cl_batch_free(b);
		return 0;
	}
	b->is_deliver = true;
	r = cl_call_begin(&d, p, &b->call, "deliver");
	if (r == 0) {
		bufpack_array(&d.pk, 1);
		bufpack_array(&d.pk, b->n);
		for (size_t i = 0; i < b->n; i++)
			bufpack_uint(&d.pk, b->futures[i]->by_id.key);
		r = cl_call_commit(&d, &b->call);
	}
	if (r < 0)
		cl_batch_free(b);
	return r;
}

/* Those of the list from *next on, CL_IDS_MAX at most. */
static int gather(struct cl_batch *b, poold_future **next)
{
	int r = 0;

	for (; *next && b->n < CL_IDS_MAX && r == 0; *next = TAILQ_NEXT(*next, in_handle)) {
		if ((*next)->state != POOLD_DISCONNECTED || (*next)->by_id.key == 0)
			continue;
		r = cl_future_resume(*next);
		if (r == 0)
			cl_batch_add(b, *next);
	}
	return r;
}

int cl_batch_deliver_again(poold *p)
{
	poold_future *next = TAILQ_FIRST(&p->futures);
	struct cl_batch *b;

	while (next) {
		int r = cl_batch_new(CL_IDS_MAX, &b);

		if (r < 0)
			return r;
		r = gather(b, &next);
		if (r < 0) {
			cl_batch_free(b);
			return r;
		}
		r = send_deliver(b, p);
		if (r < 0)
			return r;
	}
	return 0;
}
