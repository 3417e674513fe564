/* Items gather in a chunk; a full one is handed in as a job. At most `window` chunks are there at a
 * time, whose results were not all taken: then the caller has to take some first.
 *
 *	gathering ──► parked ──► out ──► over ──► current
 *	                 ▲        │        (given item by item)
 *	                 └────────┘ no room in the daemon; or: not run
 *
 * How many items make a chunk follows what was seen: as many as run for TARGET_US, if the caller
 * did not say; and never more than those whose results find room in one answer. So the first chunks
 * are small. */
#include <errno.h>
#include <string.h>

#include "client/map_chunk.h"

#define WINDOW_DEFAULT 128u
/* Chunks beyond the window: an item that goes by itself closes the one before it, too. */
#define WINDOW_EXTRA 2u
/* Long beside what a message costs, short beside what one waits for gladly. */
#define TARGET_US 250u
/* How much more there may be at a time than what was measured. */
#define GROWTH	  4u
#define ITEMS_MAX 8192u
/* Of a chunk whose results are like none that were seen. */
#define ITEMS_UNSEEN 32u
/* Below inline_bytes, so that no value of several items needs a copy in the daemon. */
#define VALUES_BYTES  (PROTO_INLINE_BYTES - 4096u)
#define RESULTS_BYTES (PROTO_INLINE_BYTES - 4096u)

struct poold_map {
	poold *handle;
	char function[PROTO_ADDRESS_BYTES + 1];
	poold_options job;
	uint32_t chunk; /* 0: as many as are quick */
	uint32_t window;
	bool is_unordered;
	bool is_cancelled;

	uint64_t n_added;
	struct cl_chunk *gathering; /* NULL: none */
	struct cl_chunk *current;   /* gives its items; NULL */
	struct cl_chunks all;	    /* but for these two: in the order of their items */
	struct cl_chunks parked;    /* to be handed in */
	struct cl_chunks over;
	unsigned n; /* in `all` */
	poold_set *out;
	size_t most_out; /* jobs at a time that the daemon has room for */

	uint32_t at_once; /* items in a chunk, by what follows */
	uint32_t n_quick; /* items that run for TARGET_US, as far as is known */
	bool has_seen;	  /* results: one item's has so many bytes, on average the most */
	size_t result_bytes;
	size_t values_bytes; /* of the last chunk */
};

/* ---- how many ---- */

static void set_at_once(poold_map *m)
{
	uint32_t n = m->chunk ? m->chunk : m->n_quick;
	size_t most = ITEMS_UNSEEN;

	/* half as much again, for those that are larger than the others */
	if (m->has_seen)
		most = RESULTS_BYTES / (m->result_bytes + m->result_bytes / 2 + 1);
	m->at_once = n < most ? n : most ? (uint32_t)most : 1;
}

static void learn(poold_map *m, const struct cl_chunk *c)
{
	poold_timing t = {.size = sizeof(t)};
	uint64_t n;

	if (c->n_done == 0)
		return;
	m->has_seen = true;
	n = (c->result_bytes + c->n_done - 1) / c->n_done;
	if (n > m->result_bytes)
		m->result_bytes = n;
	if (poold_future_get_timing(c->f, &t) < 0)
		t.run_us = TARGET_US;
	n = (uint64_t)c->n_done * TARGET_US / (t.run_us ? t.run_us : 1);
	if (n > (uint64_t)m->n_quick * GROWTH)
		n = (uint64_t)m->n_quick * GROWTH;
	m->n_quick = n > ITEMS_MAX ? ITEMS_MAX : n ? (uint32_t)n : 1;
	set_at_once(m);
}

/* ---- a map ---- */

poold_public int poold_map_new(
	poold *p, const char *function, const poold_map_options *options, poold_map **ret_map)
{
	static const poold_map_options none = POOLD_MAP_OPTIONS_INIT;
	static const poold_options plain = POOLD_OPTIONS_INIT;
	const poold_map_options *o = options ? options : &none;
	poold_map *m;
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (!function || !*function || strlen(function) > PROTO_ADDRESS_BYTES || !ret_map)
		return -EINVAL;
	if (!cl_is_known(o, o->size, sizeof(*o)) ||
		(o->job && (!cl_is_known(o->job, o->job->size, sizeof(*o->job)) || o->job->key)))
		return cl_fail(
			p, -EINVAL, "options of another version, without their size, or a key");
	m = calloc(1, sizeof(*m));
	r = m ? poold_set_new(p, &m->out) : -ENOMEM;
	if (r < 0) {
		free(m);
		return r;
	}
	m->handle = poold_ref(p);
	strcpy(m->function, function);
	m->job = o->job ? *o->job : plain;
	m->job.auto_release = 1;
	m->chunk = o->chunk;
	m->window = o->window ? o->window : WINDOW_DEFAULT;
	m->is_unordered = o->unordered;
	m->n_quick = 1;
	m->most_out = m->window;
	set_at_once(m);
	TAILQ_INIT(&m->all);
	TAILQ_INIT(&m->parked);
	TAILQ_INIT(&m->over);
	*ret_map = m;
	return 0;
}

static void drop_current(poold_map *m)
{
	if (m->current)
		cl_chunk_free(take_ptr(m->current));
}

poold_public poold_map *poold_map_free(poold_map *m)
{
	struct cl_chunk *c;

	if (!m)
		return NULL;
	m->out = poold_set_free(m->out);
	while ((c = TAILQ_FIRST(&m->all))) {
		TAILQ_REMOVE(&m->all, c, in_map);
		cl_chunk_free(c);
	}
	drop_current(m);
	if (m->gathering)
		cl_chunk_free(m->gathering);
	poold_unref(m->handle);
	free(m);
	return NULL;
}

/* ---- to the daemon ---- */

static void end_chunk(
	poold_map *m, struct cl_chunk *c, poold_state state, const char *code, const char *message)
{
	cl_chunk_end(c, state, code, message);
	TAILQ_INSERT_TAIL(&m->over, c, in_list);
}

/* -EAGAIN, with the chunk where it was: not now. */
static int hand_in(poold_map *m, struct cl_chunk *c)
{
	int r = m->is_cancelled ? -ECANCELED : cl_chunk_hand_in(c, m->handle, m->function, &m->job);

	if (r == -EAGAIN)
		return r;
	TAILQ_REMOVE(&m->parked, c, in_list);
	if (r == 0)
		r = poold_future_set_callback(c->f, NULL, c);
	if (r == 0)
		r = poold_set_add(m->out, c->f);
	if (r == -ECANCELED)
		end_chunk(m, c, POOLD_CANCELLED, "cancelled", "the map was cancelled");
	else if (r == -ENOTCONN || r == -EPROTO)
		end_chunk(m, c, POOLD_DISCONNECTED, "disconnected", "connection lost");
	else if (r < 0)
		end_chunk(m, c, POOLD_REFUSED, "internal", poold_strerror(r));
	return 0;
}

static void hand_in_parked(poold_map *m)
{
	struct cl_chunk *c;

	while ((c = TAILQ_FIRST(&m->parked)) &&
		(m->is_cancelled || poold_set_get_size(m->out) < m->most_out))
		if (hand_in(m, c) < 0)
			break;
}

static void park(poold_map *m, struct cl_chunk *c)
{
	TAILQ_INSERT_TAIL(&m->all, c, in_map);
	TAILQ_INSERT_TAIL(&m->parked, c, in_list);
	m->n++;
}

static void close_gathering(poold_map *m)
{
	m->values_bytes = buf_used(&m->gathering->values);
	park(m, take_ptr(m->gathering));
	hand_in_parked(m);
}

/* ---- and back ---- */

/* Refused for want of room that others of this map may give back. */
static bool is_crowded(const poold_map *m, const struct cl_chunk *c)
{
	return c->state == POOLD_REFUSED && poold_set_get_size(m->out) > 0 &&
	       (strcmp(c->code, "quota") == 0 || strcmp(c->code, "full") == 0);
}

static void park_again(poold_map *m, struct cl_chunk *c)
{
	c->f = poold_future_unref(c->f);
	c->is_over = false;
	TAILQ_INSERT_HEAD(&m->parked, c, in_list);
	m->most_out = poold_set_get_size(m->out);
}

/* What was not run of a chunk, in as many as are needed now. */
static int park_rest(poold_map *m, struct cl_chunk *before, struct cl_chunk *c)
{
	struct cl_chunk *rest = NULL;
	int r = 0;

	for (; r == 0 && c; before = c, c = rest) {
		r = cl_chunk_split(c, m->handle, m->at_once, &rest);
		TAILQ_INSERT_AFTER(&m->all, before, c, in_map);
		TAILQ_INSERT_TAIL(&m->parked, c, in_list);
		m->n++;
	}
	return r;
}

/* Consumes the reference to the future, which the chunk has too. */
static int settle(poold_map *m, poold_future *f)
{
	struct cl_chunk *c = poold_future_get_userdata(f), *rest;
	int r = cl_chunk_settle(c, m->handle, &rest);

	poold_future_unref(f);
	if (is_crowded(m, c)) {
		park_again(m, c);
		return 0;
	}
	learn(m, c);
	m->most_out += m->most_out < m->window;
	TAILQ_INSERT_TAIL(&m->over, c, in_list);
	if (r == 0)
		r = park_rest(m, c, rest);
	hand_in_parked(m);
	return r;
}

/* What is over and has its turn becomes the current one. */
static bool choose(poold_map *m)
{
	struct cl_chunk *c = m->is_unordered ? TAILQ_FIRST(&m->over) : TAILQ_FIRST(&m->all);

	drop_current(m);
	if (!c || !c->is_over)
		return false;
	TAILQ_REMOVE(&m->all, c, in_map);
	TAILQ_REMOVE(&m->over, c, in_list);
	m->n--;
	m->current = c;
	return true;
}

/* 1: something is settled, or can be sent again; 0: time is over. */
static int wait_for_one(poold_map *m, uint64_t until_us)
{
	uint64_t timeout_us = until_us, now_us;
	poold_future *f;
	int r;

	if (until_us != 0 && until_us != POOLD_FOREVER) {
		now_us = cl_now_us();
		timeout_us = until_us > now_us ? until_us - now_us : 0;
	}
	if (poold_set_get_size(m->out) == 0) /* all are parked, since other messages wait, too */
		return poold_flush(m->handle, timeout_us);
	r = poold_set_next(m->out, timeout_us, &f);
	if (r <= 0)
		return r;
	r = settle(m, f);
	return r < 0 ? r : 1;
}

poold_public int poold_map_next(poold_map *m, uint64_t timeout_us, poold_map_item *ret_item)
{
	uint64_t until_us;
	int r;

	if (!m || !ret_item || ret_item->size < sizeof(*ret_item))
		return -EINVAL;
	if (m->current && m->current->n_given < m->current->n) {
		cl_chunk_give(m->current, ret_item);
		return 1;
	}
	r = cl_check(m->handle);
	until_us = cl_until_us(timeout_us);
	while (r >= 0 && !choose(m)) {
		/* who only looks may still add some, as long as others are under way */
		if (m->gathering && m->gathering->n > 0 &&
			(until_us != 0 || poold_set_get_size(m->out) == 0))
			close_gathering(m);
		hand_in_parked(m);
		if (m->n == 0)
			return -ENOENT;
		if (!TAILQ_EMPTY(&m->over) && choose(m))
			break;
		r = wait_for_one(m, until_us);
		if (r == 0)
			return 0;
	}
	if (r < 0)
		return r;
	cl_chunk_give(m->current, ret_item);
	return 1;
}

/* ---- items ---- */

static bool is_full(const poold_map *m, const struct cl_chunk *c)
{
	return c->n_fds > 0 || c->n >= m->at_once || buf_used(&c->values) > VALUES_BYTES;
}

/* The last item goes by itself, if it has fds or the others leave no room for it. */
static int part_last(poold_map *m, size_t at)
{
	struct cl_chunk *c = m->gathering, *last;

	if (c->n == 1 || (c->n_fds == 0 && buf_used(&c->values) <= VALUES_BYTES))
		return 0;
	last = cl_chunk_split_last(c, m->handle, at);
	if (!last)
		return -ENOMEM;
	close_gathering(m);
	m->gathering = last;
	return 0;
}

poold_public int poold_map_add(poold_map *m, poold_input input)
{
	size_t at;
	int r;

	if (!m)
		return -EINVAL;
	if (m->gathering && is_full(m, m->gathering)) {
		if (m->n >= m->window)
			return -EAGAIN;
		close_gathering(m);
	}
	if (m->n >= m->window + WINDOW_EXTRA)
		return -EAGAIN;
	if (!m->gathering)
		m->gathering = cl_chunk_new(m->handle, m->n_added, m->values_bytes);
	if (!m->gathering)
		return -ENOMEM;
	at = buf_used(&m->gathering->values);
	r = cl_chunk_add(m->gathering, m->handle, &input, PROTO_VALUE_DEPTH - (m->chunk != 1));
	if (r == 0)
		r = part_last(m, at);
	if (r < 0)
		return r;
	m->n_added++;
	return 0;
}

poold_public int poold_map_get_bytes(
	const poold_map_item *item, const void **ret_bytes, size_t *ret_len)
{
	struct cursor c;

	if (!item || !ret_bytes || !ret_len)
		return -EINVAL;
	if (!item->encoded || !item->future)
		return -ENODATA;
	c = cursor_of(item->encoded, item->encoded_len);
	return cl_value_get_bytes(&item->future->value, &c, ret_bytes, ret_len);
}

poold_public int poold_map_cancel(poold_map *m, poold_cancel_mode mode, const char *reason)
{
	struct cl_chunk *c;
	int r = 0;

	if (!m)
		return -EINVAL;
	m->is_cancelled = true;
	if (m->gathering && m->gathering->n > 0)
		close_gathering(m);
	hand_in_parked(m);
	TAILQ_FOREACH (c, &m->all, in_map)
		if (r >= 0 && c->f && !c->is_over)
			r = poold_future_cancel(c->f, mode, reason);
	return r < 0 ? r : 0;
}
