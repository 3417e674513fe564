/* Members are in one of two lists: `waiting`, or `ready` in the order in which they were settled.
 * The pump moves them over; set_next() takes the first one that is ready. */
#include <errno.h>

#include "client/client_internal.h"

static struct cl_future_list *list_of(const poold_future *f)
{
	return f->is_in_ready ? &f->set->ready : &f->set->waiting;
}

static void put_in_list(poold_future *f)
{
	f->is_in_ready = cl_future_is_settled(f);
	TAILQ_INSERT_TAIL(list_of(f), f, in_set);
}

void cl_set_move(poold_future *f)
{
	if (f->is_in_ready == cl_future_is_settled(f))
		return;
	TAILQ_REMOVE(list_of(f), f, in_set);
	put_in_list(f);
}

/* The set's reference is the caller's. */
static void take_out(poold_future *f)
{
	TAILQ_REMOVE(list_of(f), f, in_set);
	f->set->n--;
	f->set = NULL;
}

poold_public int poold_set_new(poold *p, poold_set **ret_set)
{
	poold_set *s;
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (!ret_set)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->handle = p;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->ready);
	LIST_INSERT_HEAD(&p->sets, s, in_handle);
	*ret_set = s;
	return 0;
}

static poold_future *first_of(const poold_set *s)
{
	poold_future *f = TAILQ_FIRST(&s->ready);

	return f ? f : TAILQ_FIRST(&s->waiting);
}

poold_public poold_set *poold_set_free(poold_set *s)
{
	poold_future *f;

	if (!s)
		return NULL;
	while ((f = first_of(s))) {
		take_out(f);
		poold_future_unref(f);
	}
	if (s->handle)
		LIST_REMOVE(s, in_handle);
	s->handle = NULL;
	if (s->n_waits > 0)
		s->is_freed = true;
	else
		free(s);
	return NULL;
}

void cl_set_orphan_all(poold *p)
{
	poold_set *s;

	while ((s = LIST_FIRST(&p->sets))) {
		LIST_REMOVE(s, in_handle);
		s->handle = NULL;
	}
}

poold_public int poold_set_add(poold_set *s, poold_future *f)
{
	if (!s || !f)
		return -EINVAL;
	if (s->handle != f->handle || !s->handle)
		return -EXDEV;
	if (f->set)
		return -EBUSY;
	f->set = s;
	poold_future_ref(f);
	s->n++;
	put_in_list(f);
	return 0;
}

static bool has_ready(const void *arg)
{
	const poold_set *s = arg;

	return !TAILQ_EMPTY(&s->ready) || s->n == 0;
}

/* A callback may free the set meanwhile. */
static int wait_for_ready(poold_set *s, uint64_t timeout_us)
{
	poold *p = poold_ref(s->handle);
	int r;

	s->n_waits++;
	r = cl_wait_until(p, has_ready, s, timeout_us);
	poold_unref(p);
	if (--s->n_waits == 0 && s->is_freed) {
		free(s);
		return -ENOENT;
	}
	return r;
}

poold_public int poold_set_next(poold_set *s, uint64_t timeout_us, poold_future **ret_future)
{
	poold_future *f;

	if (!s || !ret_future)
		return -EINVAL;
	if (!has_ready(s)) {
		int r;

		if (!s->handle)
			return -ENOTCONN;
		if (timeout_us == 0 && s->handle->is_pumping)
			return 0;
		r = wait_for_ready(s, timeout_us);
		if (r <= 0)
			return r;
	}
	f = TAILQ_FIRST(&s->ready);
	if (!f)
		return -ENOENT;
	take_out(f);
	*ret_future = f;
	return 1;
}

poold_public size_t poold_set_get_size(const poold_set *s)
{
	return s ? s->n : 0;
}
