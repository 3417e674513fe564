/* The encodings of the items lie one behind the other, as in an array; the head comes with the
 * message. An item by itself goes as an ordinary input, so it may be all that such a one may be.
 *
 * When an item fails, its job's details have the results of those before it; those behind it were
 * not run. */
#include "client/map_chunk.h"

#include <errno.h>
#include <string.h>

/* What surrounds the items in a message. */
#define AROUND_BYTES 4096u

struct cl_chunk *cl_chunk_new(const poold *p, uint64_t first, size_t bytes)
{
	struct cl_chunk *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->first = first;
	buf_init(&c->values, p->max_message);
	if (buf_reserve(&c->values, bytes) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

void cl_chunk_free(struct cl_chunk *c)
{
	poold_future_unref(c->f);
	while (c->n_fds > 0)
		fd_close(c->fds[--c->n_fds]);
	buf_deinit(&c->values);
	free(c);
}

int cl_chunk_add(struct cl_chunk *c, poold *p, const poold_input *input, unsigned max_depth)
{
	size_t at = buf_used(&c->values);
	struct cl_draft d = {.p = p};
	int r;

	bufpack_init(&d.pk, &c->values);
	r = cl_payload_pack(&d, input, max_depth);
	if (r == 0)
		r = bufpack_error(&d.pk);
	if (r == -ENOBUFS || (r == 0 && buf_used(&c->values) - at > p->max_message - AROUND_BYTES))
		r = -EMSGSIZE;
	if (r < 0) {
		buf_truncate(&c->values, at);
		while (d.n_fds > 0)
			fd_close(d.fds[--d.n_fds]);
		return cl_submit_no_input(p, r);
	}
	for (unsigned i = 0; i < d.n_fds; i++)
		c->fds[c->n_fds++] = d.fds[i];
	c->n++;
	return 0;
}

/* The items from that one on, whose encodings begin at `at`. */
static struct cl_chunk *split(struct cl_chunk *c, const poold *p, uint32_t item, size_t at)
{
	size_t len = buf_used(&c->values) - at;
	struct cl_chunk *rest = cl_chunk_new(p, c->first + item, len);

	if (!rest)
		return NULL;
	memcpy(rest->values.data, buf_head(&c->values) + at, len);
	buf_commit(&rest->values, len);
	buf_truncate(&c->values, at);
	rest->n = c->n - item;
	c->n = item;
	return rest;
}

int cl_chunk_split(struct cl_chunk *c, const poold *p, uint32_t item, struct cl_chunk **ret_rest)
{
	struct cursor at = cursor_of(buf_head(&c->values), buf_used(&c->values));

	*ret_rest = NULL;
	if (item >= c->n)
		return 0;
	for (uint32_t i = 0; i < item; i++)
		if (!cursor_skip(&at, NULL))
			return -EPROTO;
	*ret_rest = split(c, p, item, (size_t)(at.p - buf_head(&c->values)));
	return *ret_rest ? 0 : -ENOMEM;
}

struct cl_chunk *cl_chunk_split_last(struct cl_chunk *c, const poold *p, size_t at)
{
	struct cl_chunk *last = split(c, p, c->n - 1, at);

	if (!last)
		return NULL;
	while (c->n_fds > last->n_fds) {
		last->fds[last->n_fds] = c->fds[last->n_fds];
		last->n_fds++;
	}
	c->n_fds = 0;
	return last;
}

int cl_chunk_hand_in(
	struct cl_chunk *c, poold *p, const char *function, const poold_options *options)
{
	poold_options o = *options;

	o.each = c->n > 1;
	return poold_submit(
		p, function, cl_input_values(&c->values, c->n, c->fds, c->n_fds), &o, &c->f);
}

void cl_chunk_end(struct cl_chunk *c, poold_state state, const char *code, const char *message)
{
	c->is_over = true;
	c->n_done = 0;
	c->state = state;
	c->code = code;
	c->message = message;
}

/* The results of the first items. */
static bool take_results(struct cl_chunk *c, struct cursor value, uint32_t n)
{
	uint32_t n_results;

	if (!cursor_array(&value, &n_results) || n_results != n)
		return false;
	c->n_done = n;
	c->results = value;
	c->result_bytes = cursor_len(&value);
	return true;
}

static int settle_done(struct cl_chunk *c)
{
	struct cursor value = cl_value_encoded(&c->f->value);

	if (c->n == 1) {
		c->n_done = 1;
		c->results = value;
		c->result_bytes = cursor_len(&value);
	} else if (!take_results(c, value, c->n)) {
		cl_chunk_end(c, POOLD_FAILED, "bad_result",
			"the result is not an array of as many elements");
	}
	return 0;
}

/* Did it end at one of its items? Then those behind it were not run. */
static int settle_at_item(struct cl_chunk *c, const poold *p, struct cl_chunk **ret_rest)
{
	struct cursor index, results;
	uint64_t i;

	if (c->state != POOLD_FAILED || c->n == 1 ||
		!cl_future_find_detail(c->f, "index", &index) || !cursor_uint(&index, &i) ||
		i >= c->n || !cl_future_find_detail(c->f, "results", &results) ||
		!take_results(c, results, (uint32_t)i))
		return 0;
	return cl_chunk_split(c, p, (uint32_t)i + 1, ret_rest);
}

int cl_chunk_settle(struct cl_chunk *c, const poold *p, struct cl_chunk **ret_rest)
{
	*ret_rest = NULL;
	cl_chunk_end(c, poold_future_get_state(c->f), "", "");
	if (poold_future_get_error(c->f, &c->code, &c->message) == 0)
		return c->state == POOLD_DONE ? settle_done(c) : 0;
	if (c->state == POOLD_DONE)
		c->state = POOLD_FAILED; /* a result that did not fit on its way here */
	return settle_at_item(c, p, ret_rest);
}

void cl_chunk_give(struct cl_chunk *c, poold_map_item *ret)
{
	uint32_t i = c->n_given++;
	struct cursor value;

	ret->index = c->first + i;
	ret->future = c->f;
	if (i < c->n_done && cursor_skip(&c->results, &value)) {
		ret->state = POOLD_DONE;
		ret->encoded = value.p;
		ret->encoded_len = cursor_len(&value);
		ret->code = ret->message = NULL;
		return;
	}
	ret->state = c->state;
	ret->encoded = NULL;
	ret->encoded_len = 0;
	ret->code = c->code;
	ret->message = c->message;
}
