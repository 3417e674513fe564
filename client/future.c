/* A future's life in this process:
 *
 *   SENT ──► ACCEPTED ──► DONE … ABORTED (the daemon's final states), REFUSED
 *     │         │  ▲
 *     │         ▼  │ reconnect, if it has an ID
 *     └────► DISCONNECTED, REFUSED; and DONE at once, if it was put
 *
 * Two things can lead to it, and each of them holds a reference: the request that made it, until
 * that is answered, and the table of IDs while it is ACCEPTED. A daemon may tell the end of one ID
 * to several futures here: a submit whose ID was opened, too, before its answer came.
 *
 * A callback runs where the end arrives. It may do whatever it likes but run the pump, so after it
 * nothing is touched that it can free; the future itself is pinned. Where one message settles
 * several futures, or none does, callbacks wait in the list `due` for the next round. */
#include "client/client_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "config.h"
#include "proto/outcome.h"
#include "proto/text.h"

/* IDs in one `deliver` or `release`: of 9 bytes each at most, so it stays below 64 KiB. */
#define IDS_MAX 4096u

/* What a handle keeps of the memory of futures for the next ones: malloc() has no fast way for the
 * thousands that a busy handle has at once. With sanitizers none, so that they see who uses one
 * that is gone. */
#define SPARES_MAX 4096u
#ifdef WITH_SANITIZERS
#define KEEPS_SPARES false
#else
#define KEEPS_SPARES true
#endif

#define BIT(state) (1u << POOLD_##state)
#define FINAL_BITS                                                                                 \
	(BIT(DONE) | BIT(FAILED) | BIT(CANCELLED) | BIT(TIMEOUT) | BIT(LOST) | BIT(ABORTED))

static void set_state(poold_future *f, poold_state to)
{
	static const uint32_t moves[POOLD_DISCONNECTED + 1] = {
		[POOLD_SENT] = BIT(ACCEPTED) | BIT(DONE) | BIT(REFUSED) | BIT(DISCONNECTED),
		[POOLD_ACCEPTED] = FINAL_BITS | BIT(REFUSED) | BIT(DISCONNECTED),
		[POOLD_DISCONNECTED] = BIT(ACCEPTED),
	};

	assert(moves[f->state] & 1u << to);
	f->state = (uint8_t)to;
	if (f->set)
		cl_set_move(f);
}

static void free_future(poold_future *f)
{
	poold *p = f->handle;

	if (p)
		TAILQ_REMOVE(&p->futures, f, in_handle);
	cl_value_deinit(&f->value);
	free(f->cancel);
	if (KEEPS_SPARES && p && p->n_spare < SPARES_MAX) {
		f->next_spare = p->spare;
		p->spare = f;
		p->n_spare++;
	} else {
		free(f);
	}
}

static inline void drop(poold_future *f)
{
	if (--f->n_refs == 0)
		free_future(f);
}

static bool is_id(uint64_t id)
{
	return id > 0 && id < PROTO_ID_END;
}

/* The answer to a submit or put. */
static int accept_answer(poold_future *f, uint64_t id, int *ret_cb)
{
	if (!f->is_put)
		return cl_future_accept(f, id);
	if (!is_id(id))
		return -EPROTO;
	f->by_id.key = id;
	cl_future_settle(f, POOLD_DONE, ret_cb);
	return 0;
}

static int on_answer(poold *p, struct cl_call *call, struct cl_message *m, int *ret_cb)
{
	poold_future *f = container_of(call, poold_future, call);
	struct cursor c;
	uint64_t id;
	int r = 0;

	if (!m) {
		/* cl_future_lose_all() tells it */
	} else if (cl_message_is_error(m)) {
		r = cl_future_refuse(f, m, ret_cb);
	} else if (f->state == POOLD_SENT) {
		c = m->rpc.result;
		r = cursor_uint(&c, &id) ? accept_answer(f, id, ret_cb) : -EPROTO;
	}
	drop(f);
	return r;
}

int cl_future_new(poold *p, poold_future **ret)
{
	poold_future *f = p->spare;

	if (f) {
		p->spare = f->next_spare;
		p->n_spare--;
	} else {
		f = malloc(sizeof(*f));
	}
	if (!f)
		return cl_fail(p, -ENOMEM, "no memory for a future");
	memset(f, 0, CL_FUTURE_ZERO_BYTES);
	f->n_refs = 1;
	f->handle = p;
	f->call.on_answer = on_answer;
	TAILQ_INSERT_TAIL(&p->futures, f, in_handle);
	*ret = f;
	return 0;
}

void cl_future_free_spares(poold *p)
{
	poold_future *f;

	while ((f = p->spare)) {
		p->spare = f->next_spare;
		free(f);
	}
	p->n_spare = 0;
}

poold_public poold_future *poold_future_ref(poold_future *f)
{
	if (f)
		f->n_refs++;
	return f;
}

poold_public poold_future *poold_future_unref(poold_future *f)
{
	if (f)
		drop(f);
	return NULL;
}

int cl_future_accept(poold_future *f, uint64_t id)
{
	poold *p = f->handle;
	int r = 0;

	if (!is_id(id))
		return -EPROTO;
	if (cl_table_reserve(&p->ids, 1) < 0)
		return -ENOMEM;
	cl_table_add(&p->ids, id, &f->by_id);
	f->n_refs++;
	set_state(f, POOLD_ACCEPTED);
	if (f->cancel) {
		r = cl_future_send_cancel(
			f, f->cancel->mode, f->cancel->reason, f->cancel->reason_len);
		free(take_ptr(f->cancel));
	}
	return r;
}

static void make_due(poold_future *f)
{
	if (f->is_due || !f->callback || f->handle->is_closing)
		return;
	f->is_due = true;
	f->n_refs++;
	STAILQ_INSERT_TAIL(&f->handle->due, f, in_due);
}

static void run_callback(poold_future *f, int *ret_cb)
{
	int r = f->callback ? f->callback(f, f->userdata) : 0;

	if (r < 0 && *ret_cb == 0)
		*ret_cb = r;
}

void cl_future_settle(poold_future *f, poold_state state, int *ret_cb)
{
	bool was_accepted = f->state == POOLD_ACCEPTED;

	set_state(f, state);
	if (f->want_release && f->by_id.key != 0 && state < POOLD_REFUSED)
		cl_future_note_release(f);
	if (ret_cb)
		run_callback(f, ret_cb);
	else
		make_due(f);
	if (was_accepted)
		drop(f);
}

int cl_future_refuse(poold_future *f, struct cl_message *m, int *ret_cb)
{
	int r;

	if (cl_future_is_settled(f))
		return 0;
	r = cl_value_take_error(&f->value, m, &m->rpc.error);
	if (r < 0)
		return r;
	if (f->state == POOLD_ACCEPTED)
		cl_table_remove(&f->handle->ids, &f->by_id);
	cl_future_settle(f, POOLD_REFUSED, ret_cb);
	return 0;
}

int cl_future_run_due(poold *p, int *ret_cb)
{
	poold_future *f;
	int did = 0;

	while (*ret_cb == 0 && !p->is_closing && (f = STAILQ_FIRST(&p->due))) {
		STAILQ_REMOVE_HEAD(&p->due, in_due);
		f->is_due = false;
		/* after a reconnect its end is still to come */
		if (cl_future_is_settled(f))
			run_callback(f, ret_cb);
		poold_future_unref(f);
		did = 1;
	}
	return did;
}

void cl_future_lose_all(poold *p)
{
	poold_future *f, *next;

	cl_table_deinit(&p->ids);
	for (f = TAILQ_FIRST(&p->futures); f; f = next) {
		next = TAILQ_NEXT(f, in_handle);
		if (cl_future_is_settled(f))
			continue;
		cl_value_set_disconnected(&f->value);
		cl_future_settle(f, POOLD_DISCONNECTED, NULL);
	}
}

void cl_future_orphan_all(poold *p)
{
	poold_future *f;

	while ((f = STAILQ_FIRST(&p->due))) {
		STAILQ_REMOVE_HEAD(&p->due, in_due);
		f->is_due = false;
		poold_future_unref(f);
	}
	while ((f = TAILQ_FIRST(&p->futures))) {
		TAILQ_REMOVE(&p->futures, f, in_handle);
		f->handle = NULL;
	}
}

int cl_future_resume(poold_future *f)
{
	int r = cl_table_reserve(&f->handle->ids, 1);

	if (r < 0)
		return r;
	cl_value_deinit(&f->value);
	cl_table_add(&f->handle->ids, f->by_id.key, &f->by_id);
	f->n_refs++;
	set_state(f, POOLD_ACCEPTED);
	return 0;
}

poold_public int poold_future_set_callback(poold_future *f, poold_callback callback, void *userdata)
{
	if (!f)
		return -EINVAL;
	if (!f->handle && cl_future_is_settled(f) && callback)
		return -ENOTCONN;
	if (f->handle && !cl_is_alive(f->handle))
		return -ECHILD;
	f->callback = callback;
	f->userdata = userdata;
	if (f->handle && cl_future_is_settled(f))
		make_due(f);
	return 0;
}

poold_public void *poold_future_get_userdata(const poold_future *f)
{
	return f ? f->userdata : NULL;
}
