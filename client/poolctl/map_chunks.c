/* Arguments wait here until their items come out: in their order, or, unordered, not quite. */
#include "client/poolctl/map_chunks.h"

#include <errno.h>

#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"

/* Arguments that may wait, and memory for so many at a time. */
#define ARGUMENTS_MAX (1u << 20)
#define ARGUMENTS_ADD 1024u

struct argument {
	char *text; /* NULL: its item came out */
	uint64_t seq;
};

struct chunks {
	struct map_window *w;
	poold_map *map;
	struct argument *arguments; /* a ring of `size` */
	size_t first, n, size;
	uint64_t first_index; /* of the item that the first one is */
	char *pending;	      /* one that found no room; NULL */
	double started;
};

static struct argument *argument_at(const struct chunks *c, size_t i)
{
	return &c->arguments[(c->first + i) % c->size];
}

static int make_room(struct chunks *c)
{
	struct argument *more;

	if (c->n < c->size)
		return 0;
	more = calloc(c->size * 2 + ARGUMENTS_ADD, sizeof(*more));
	if (!more)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		more[i] = *argument_at(c, i);
	free(c->arguments);
	c->arguments = more;
	c->size = c->size * 2 + ARGUMENTS_ADD;
	c->first = 0;
	return 0;
}

static void forget(struct chunks *c, struct argument *argument)
{
	free(take_ptr(argument->text));
	while (c->n > 0 && !argument_at(c, 0)->text) {
		c->first = (c->first + 1) % c->size;
		c->first_index++;
		c->n--;
	}
}

/* The argument by itself cannot be an item: that is its end. */
static int tell_unfit(struct chunks *c, const struct map_item *item)
{
	c->w->n_bad++;
	return map_window_tell(c->w, item);
}

/* 0; -EAGAIN: later. */
static int add(struct chunks *c, char *argument)
{
	struct map_item item = {.seq = c->w->seq + 1, .argument = argument};
	struct input in;
	int r = make_room(c);

	if (r == 0)
		r = map_item_input(&c->w->spec, &item, &in);
	if (r == 0) {
		r = poold_map_add(c->map, in.value);
		input_deinit(&in);
		if (r == -EAGAIN || r == -ENOTCONN || r == -EPROTO)
			return r;
	}
	c->w->seq++;
	if (r == 0) {
		*argument_at(c, c->n++) = (struct argument){argument, c->w->seq};
		return 0;
	}
	item.error = r;
	r = tell_unfit(c, &item);
	free(argument);
	return r;
}

static int fill(struct chunks *c)
{
	struct map_window *w = c->w;
	char *argument;
	int r = 0;

	w->want_input = false;
	while (r == 0 && !w->no_more && c->n < ARGUMENTS_MAX) {
		argument = take_ptr(c->pending);
		if (!argument)
			r = map_source_next(&w->source, &argument);
		if (r == MAP_SOURCE_ONE) {
			r = add(c, argument);
			if (r < 0)
				c->pending = argument;
		} else if (r == MAP_SOURCE_END) {
			w->no_more = true;
		} else if (r == MAP_SOURCE_WAIT) {
			w->want_input = true;
		}
	}
	return r < 0 && r != -EAGAIN ? r : 0;
}

static int tell(struct chunks *c, const poold_map_item *part)
{
	struct argument *argument = argument_at(c, (size_t)(part->index - c->first_index));
	struct map_item item = {.seq = argument->seq,
		.argument = argument->text,
		.part = part,
		.started = c->started};
	int r;

	c->w->n_bad += part->state != POOLD_DONE;
	r = map_window_tell(c->w, &item);
	forget(c, argument);
	return r;
}

/* All that are there. Who waits for more arguments, or has no more, hands in what gathered. How
 * many, or -errno; -ENOENT: nothing is under way. */
static int print_ended(struct chunks *c)
{
	poold_map_item part = {.size = sizeof(part)};
	int r, n = 0;

	while ((r = poold_map_next(c->map, c->w->no_more || c->w->want_input, &part)) == 1) {
		r = tell(c, &part);
		if (r < 0)
			return r;
		n = 1;
	}
	output_flush();
	return n ? n : r;
}

static int cancel(struct chunks *c, const char *reason)
{
	c->w->no_more = true;
	free(take_ptr(c->pending));
	if (c->w->is_cancelled)
		return 0;
	c->w->is_cancelled = true;
	return poold_map_cancel(c->map, POOLD_CANCEL_TERM, reason);
}

static int react(struct chunks *c, int came)
{
	struct map_window *w = c->w;
	int r = 0;

	if (came & LOOP_SIGNAL) {
		if (w->is_interrupted)
			return -EINTR;
		w->is_interrupted = true;
		r = cancel(c, "map was interrupted");
	}
	if (r >= 0 && (w->is_hopeless || output_has_failed()))
		r = cancel(c, "map was given up");
	if (r >= 0 && w->halt.failures && w->n_bad >= w->halt.failures) {
		w->no_more = true;
		if (w->halt.now)
			r = cancel(c, "another item of this map failed");
	}
	if (r >= 0 && (came & LOOP_INPUT) && w->want_input)
		r = map_source_read(&w->source);
	return r < 0 ? r : 0;
}

static int run(struct chunks *c)
{
	struct map_window *w = c->w;
	bool is_idle;
	int r;

	for (;;) {
		r = fill(c);
		if (r == 0)
			r = print_ended(c);
		is_idle = r == -ENOENT;
		if (is_idle && w->no_more)
			return 0;
		if (r < 0 && !is_idle)
			return r;
		map_report_draw(&w->report);
		/* what came out may have made room for more */
		r = loop_turn(w->ctl, w->want_input ? STDIN_FILENO : -1,
			r > 0 || (is_idle && !w->want_input) ? 0 : POOLD_FOREVER);
		if (r >= 0)
			r = react(c, r);
		if (r < 0)
			return r;
	}
}

int map_chunks_run(struct map_window *w, uint32_t chunk)
{
	const poold_map_options options = {
		.size = sizeof(options),
		.job = &w->spec.options,
		.chunk = chunk,
		.window = (uint32_t)w->size,
		.unordered = w->unordered,
	};
	struct chunks c = {.w = w, .started = loop_unix_now()};
	int r = poold_map_new(w->ctl->client, w->spec.function, &options, &c.map);

	if (r == 0)
		r = run(&c);
	poold_map_free(c.map);
	for (size_t i = 0; i < c.n; i++)
		free(argument_at(&c, i)->text);
	free(c.arguments);
	free(c.pending);
	return r;
}
