/* A watch is told by its number, which comes with the answer; the daemon sends events behind it.
 * One that is freed before has nobody to call, and is taken back when the number is known. Futures
 * that are added before wait for the number too. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"

#include "client/poold-watch.h"

struct poold_watch {
	poold *handle; /* NULL: the watch is over */
	struct cl_call call;
	uint64_t number; /* 0: the answer has not come */
	poold_event_callback callback;
	void *userdata;
	poold_reply *last; /* made with it, so that telling its end needs no memory */
	unsigned n_calls;  /* of the callback, under way */
	unsigned n_adds;   /* requests to add futures, under way */
	bool is_freed;	   /* whoever ends the last of them, or gets the answer, frees it */
	struct buf later;  /* uint64_t IDs that are added when it has a number */
	LIST_ENTRY(poold_watch) in_handle; /* if it has a number */
};

/* Futures that are being added. */
struct adding {
	struct cl_call call;
	poold_watch *watch;
};

static void tell(poold_watch *w, uint64_t id, const char *kind, poold_reply *event, int *ret_cb)
{
	bool is_silent = w->is_freed || (w->handle && w->handle->is_closing);
	int cb;

	if (is_silent)
		return;
	w->n_calls++;
	cb = w->callback(w, id, kind, event, w->userdata);
	if (cb < 0 && *ret_cb == 0)
		*ret_cb = cb;
	w->n_calls--;
}

static void free_if_over(poold_watch *w)
{
	if (!w->is_freed || w->n_calls > 0 || w->n_adds > 0)
		return;
	buf_deinit(&w->later);
	poold_reply_unref(w->last);
	free(w);
}

static poold_reply *new_reply(void)
{
	poold_reply *r = calloc(1, sizeof(*r));

	if (r)
		r->n_refs = 1;
	return r;
}

/* Nothing more comes: "refused", "disconnected". */
static void end(poold_watch *w, const char *kind, int *ret_cb)
{
	tell(w, 0, kind, w->last, ret_cb);
	w->handle = NULL;
	free_if_over(w);
}

static void set_lost(poold_watch *w)
{
	w->last->is_lost = true;
	cl_value_set_disconnected(&w->last->value);
}

static void send_unwatch(poold *p, uint64_t number)
{
	struct cl_request *q;
	struct cl_draft d;

	if (p->state != CL_OPEN || cl_request_begin(&d, p, "unwatch", NULL, NULL, &q) < 0)
		return;
	bufpack_array(&d.pk, 1);
	bufpack_uint(&d.pk, number);
	/* Without room it goes on in vain, until the connection ends. */
	(void)!cl_request_commit(&d, q);
}

static void pack_ids(struct bufpack *p, const uint64_t *ids, size_t n)
{
	bufpack_array(p, n);
	for (size_t i = 0; i < n; i++)
		bufpack_uint(p, ids[i]);
}

/* Some future cannot be watched: one that is not told of an end must not wait for it. */
static int refuse(poold_watch *w, struct cl_message *m, int *ret_cb)
{
	int r = cl_value_take_error(&w->last->value, m, &m->rpc.error);

	LIST_REMOVE(w, in_handle);
	send_unwatch(w->handle, w->number);
	w->number = 0;
	if (r < 0)
		set_lost(w);
	end(w, r == 0 ? "refused" : "disconnected", ret_cb);
	return r;
}

static int on_added(poold *p, struct cl_call *call, struct cl_message *m, int *ret_cb)
{
	struct adding *a = container_of(call, struct adding, call);
	poold_watch *w = a->watch;
	int r = 0;

	(void)p;
	if (m && cl_message_is_error(m) && w->handle)
		r = refuse(w, m, ret_cb);
	w->n_adds--;
	free_if_over(w);
	free(a);
	return r;
}

static int send_some(poold_watch *w, const uint64_t *ids, size_t n)
{
	struct adding *a = calloc(1, sizeof(*a));
	struct cl_draft d;
	int r;

	if (!a)
		return -ENOMEM;
	a->call.on_answer = on_added;
	a->watch = w;
	r = cl_call_begin_small(&d, w->handle, &a->call, "watch_add");
	if (r == 0) {
		bufpack_array(&d.pk, 2);
		bufpack_uint(&d.pk, w->number);
		pack_ids(&d.pk, ids, n);
		r = cl_call_commit(&d, &a->call);
	}
	if (r < 0)
		free(a);
	else
		w->n_adds++;
	return r;
}

static int send_all(poold_watch *w, const uint64_t *ids, size_t n)
{
	size_t some;
	int r = 0;

	for (; r == 0 && n > 0; ids += some, n -= some) {
		some = n < CL_IDS_MAX ? n : CL_IDS_MAX;
		r = send_some(w, ids, some);
	}
	return r;
}

static int begin(poold_watch *w)
{
	/* what was appended to it are IDs, and its memory is malloc()'s */
	const void *ids = buf_head(&w->later);
	int r;

	LIST_INSERT_HEAD(&w->handle->watches, w, in_handle);
	r = send_all(w, ids, buf_used(&w->later) / sizeof(uint64_t));
	buf_deinit(&w->later);
	return r;
}

static int on_answer(poold *p, struct cl_call *call, struct cl_message *m, int *ret_cb)
{
	poold_watch *w = container_of(call, struct poold_watch, call);
	int r = 0;

	if (m && !cl_message_is_error(m) && cursor_uint(&m->rpc.result, &w->number) &&
		w->number > 0) {
		if (!w->is_freed)
			return begin(w);
		send_unwatch(p, w->number);
		free_if_over(w);
		return 0;
	}
	if (m)
		r = cl_message_is_error(m) ? cl_value_take_error(&w->last->value, m, &m->rpc.error)
					   : -EPROTO;
	if (!m || r < 0)
		set_lost(w);
	end(w, m && r == 0 ? "refused" : "disconnected", ret_cb);
	return r;
}

static void pack_flag(struct bufpack *p, const char *key, bool is_set)
{
	if (!is_set)
		return;
	bufpack_text(p, key);
	bufpack_bool(p, true);
}

static void pack_options(struct bufpack *p, const poold_watch_options *o)
{
	bufpack_array(p, 1);
	bufpack_map(
		p, 1u + (o->group != NULL) + (o->all != 0) + (o->progress != 0) + (o->output != 0));
	bufpack_text(p, "ids");
	pack_ids(p, o->ids, o->n_ids);
	if (o->group) {
		bufpack_text(p, "group");
		bufpack_text(p, o->group);
	}
	pack_flag(p, "all", o->all);
	pack_flag(p, "progress", o->progress);
	pack_flag(p, "output", o->output);
}

static bool is_sane(const poold_watch_options *o)
{
	return o && cl_is_known(o, o->size, sizeof(*o)) && (o->ids || o->n_ids == 0);
}

poold_public int poold_watch_new(poold *p, const poold_watch_options *options,
	poold_event_callback callback, void *userdata, poold_watch **ret_watch)
{
	struct cl_draft d;
	poold_watch *w;
	int r = cl_check_open(p);

	if (r < 0)
		return r;
	if (!is_sane(options) || !callback || !ret_watch)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->is_freed = true;
	buf_init(&w->later, SIZE_MAX);
	w->last = new_reply();
	if (!w->last) {
		free_if_over(w);
		return -ENOMEM;
	}
	w->handle = p;
	w->call.on_answer = on_answer;
	w->callback = callback;
	w->userdata = userdata;
	r = cl_call_begin(&d, p, &w->call, "watch");
	if (r == 0) {
		pack_options(&d.pk, options);
		r = cl_call_commit(&d, &w->call);
	}
	if (r < 0) {
		free_if_over(w);
		return r;
	}
	w->is_freed = false;
	*ret_watch = w;
	return 0;
}

poold_public int poold_watch_add(poold_watch *w, const uint64_t *ids, size_t n)
{
	int r;

	if (!w || (!ids && n > 0))
		return -EINVAL;
	if (!w->handle)
		return -ENOTCONN;
	if (w->number == 0)
		return buf_append(&w->later, ids, n * sizeof(*ids));
	r = cl_draft_check(w->handle);
	return r < 0 ? r : send_all(w, ids, n);
}

poold_public poold_watch *poold_watch_free(poold_watch *w)
{
	if (!w)
		return NULL;
	w->is_freed = true;
	if (w->handle && w->number == 0)
		return NULL; /* its answer comes */
	if (w->handle)
		LIST_REMOVE(w, in_handle);
	if (w->handle && cl_is_alive(w->handle))
		send_unwatch(w->handle, w->number);
	w->handle = NULL;
	free_if_over(w);
	return NULL;
}

/* [watch, ID, kind, map] */
int cl_watch_event(poold *p, struct cl_message *m, int *ret_cb)
{
	struct cursor *c = &m->rpc.params, event;
	poold_reply *reply;
	uint64_t number, id;
	const char *text;
	char kind[PROTO_NAME_BYTES + 1];
	poold_watch *w;
	size_t len;
	int r;

	if (m->rpc.n_params != 4 || !cursor_uint(c, &number) || !cursor_uint(c, &id) ||
		!cursor_text(c, &text, &len) || len >= sizeof(kind) || !cursor_skip(c, &event))
		return -EPROTO;
	LIST_FOREACH (w, &p->watches, in_handle)
		if (w->number == number)
			break;
	if (!w)
		return 0; /* freed meanwhile */
	memcpy(kind, text, len);
	kind[len] = '\0';
	reply = new_reply();
	r = reply ? cl_value_take_result(&reply->value, m, &event) : -ENOMEM;
	if (r == 0)
		tell(w, id, kind, reply, ret_cb);
	poold_reply_unref(reply);
	free_if_over(w);
	return r;
}

void cl_watch_lose_all(poold *p, int *ret_cb)
{
	poold_watch *w;

	while ((w = LIST_FIRST(&p->watches))) {
		LIST_REMOVE(w, in_handle);
		w->number = 0;
		set_lost(w);
		end(w, "disconnected", ret_cb);
	}
}
