/* A window of jobs, handed in as arguments come and older jobs end. Items stay in a list in the
 * order of their arguments until they are printed; what ended early waits there for its turn, so
 * the list, and with it memory and fds, has a bound too. The library gives each result once, then
 * the daemon forgets it. */
#include "client/poolctl/map_window.h"

#include <errno.h>
#include <sys/resource.h>

#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"

/* Items that may wait for their turn, as a multiple of the window. */
#define WAITING_FACTOR 4
/* fds that an item holds at most: its input until it is sent, and two streams of output. */
#define ITEM_FDS  3
#define OTHER_FDS 16

/* As many as asked for, and no more than there are fds for. */
static size_t bounded(size_t size)
{
	struct rlimit limit;
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return size;
	most = limit.rlim_cur > OTHER_FDS + ITEM_FDS * WAITING_FACTOR
		       ? (limit.rlim_cur - OTHER_FDS) / (ITEM_FDS * WAITING_FACTOR)
		       : 1;
	return size < most ? size : most;
}

void map_window_init(struct map_window *w, struct ctl *ctl, size_t size)
{
	*w = (struct map_window){
		.ctl = ctl,
		.items = TAILQ_HEAD_INITIALIZER(w->items),
		.later = STAILQ_HEAD_INITIALIZER(w->later),
		.size = bounded(size),
	};
	w->most = w->size;
}

void map_window_deinit(struct map_window *w)
{
	struct map_item *item;

	while ((item = TAILQ_FIRST(&w->items))) {
		TAILQ_REMOVE(&w->items, item, link);
		map_item_free(item);
	}
	map_source_deinit(&w->source);
}

/* The daemon has no room now: it may have later. */
static bool is_crowded(const struct map_item *item)
{
	enum outcome_code refusal = map_item_refusal(item);

	return refusal == OUTCOME_E_QUOTA || refusal == OUTCOME_E_FULL;
}

/* No other argument would fare better. */
static bool is_hopeless(const struct map_item *item)
{
	switch (map_item_refusal(item)) {
	case OUTCOME_E_UNKNOWN_POOL:
	case OUTCOME_E_UNKNOWN_FUNCTION:
	case OUTCOME_E_NOT_ALLOWED:
	case OUTCOME_E_DRAINING: return true;
	default: return false;
	}
}

/* A refusal for want of room means fewer at a time; later, as jobs end, more are tried again. */
static void adapt_window(struct map_window *w, bool refused)
{
	if (refused) {
		w->size = w->n_out < w->size ? w->n_out : w->size;
		w->size += w->size == 0;
		w->n_since_growth = 0;
	} else if (w->size < w->most && ++w->n_since_growth >= w->size) {
		w->n_since_growth = 0;
		w->size++;
	}
}

static int on_settled(poold_future *f, void *userdata)
{
	struct map_item *item = userdata;
	struct map_window *w = item->map;
	bool crowded = is_crowded(item);

	w->n_out--;
	adapt_window(w, crowded);
	if (crowded && !item->was_alone && !w->is_cancelled) {
		item->f = poold_future_unref(item->f);
		STAILQ_INSERT_TAIL(&w->later, item, later);
		return 0;
	}
	item->is_settled = true;
	w->n_bad += poold_future_get_state(f) != POOLD_DONE;
	return 0;
}

static bool is_lost(int r)
{
	return r == -ENOTCONN || r == -EPROTO || r == -ENOMEM;
}

/* Hands an item in, new or again. What concerns the item alone becomes its end. */
static int start_item(struct map_window *w, struct map_item *item)
{
	int r;

	item->was_alone = w->n_out == 0;
	r = map_item_hand_in(w->ctl, &w->spec, item, on_settled);
	if (r >= 0) {
		w->n_out++;
		return 0;
	}
	if (r == -EMFILE && w->n_out > 0) {
		adapt_window(w, true);
		STAILQ_INSERT_HEAD(&w->later, item, later);
		return 0;
	}
	if (is_lost(r))
		return r;
	item->error = r;
	item->is_settled = true;
	w->n_bad++;
	w->look_again = true;
	return 0;
}

static int add_item(struct map_window *w, char *argument)
{
	struct map_item *item = map_item_new(w, w->seq + 1, argument);

	if (!item)
		return -ENOMEM;
	w->seq++;
	TAILQ_INSERT_TAIL(&w->items, item, link);
	w->n_items++;
	return start_item(w, item);
}

static bool has_room(const struct map_window *w)
{
	return w->n_out < w->size && w->n_items < w->size * WAITING_FACTOR;
}

static int fill_window(struct map_window *w)
{
	struct map_item *item;
	char *argument;
	int r = 0;

	w->want_input = false;
	while (r == 0 && w->n_out < w->size && (item = STAILQ_FIRST(&w->later))) {
		STAILQ_REMOVE_HEAD(&w->later, later);
		r = start_item(w, item);
	}
	while (r == 0 && STAILQ_EMPTY(&w->later) && !w->no_more && has_room(w)) {
		r = map_source_next(&w->source, &argument);
		if (r == MAP_SOURCE_ONE)
			r = add_item(w, argument);
		else if (r == MAP_SOURCE_END)
			w->no_more = true;
		else if (r == MAP_SOURCE_WAIT)
			w->want_input = true;
	}
	return r < 0 ? r : 0;
}

static void cancel_all(struct map_window *w, const char *reason)
{
	struct map_item *item;

	w->no_more = true;
	while ((item = STAILQ_FIRST(&w->later))) {
		STAILQ_REMOVE_HEAD(&w->later, later);
		item->error = -ECANCELED;
		item->is_settled = true;
		w->look_again = true;
	}
	if (w->is_cancelled)
		return;
	w->is_cancelled = true;
	TAILQ_FOREACH (item, &w->items, link) {
		if (item->f && poold_future_cancel(item->f, POOLD_CANCEL_TERM, reason) < 0)
			break; /* the connection is lost, as the next round will tell */
	}
}

/* Of a hopeless map one refusal is told; the others say the same. */
int map_window_tell(struct map_window *w, const struct map_item *item)
{
	bool again = w->is_hopeless;

	w->is_hopeless |= is_hopeless(item);
	if (!again || (!is_hopeless(item) && item->error != -ECANCELED))
		return map_item_print(w->ctl, &w->spec, item, &w->report);
	w->report.n_failed++;
	return 0;
}

static int end_item(struct map_window *w, struct map_item *item)
{
	int r = map_window_tell(w, item);

	TAILQ_REMOVE(&w->items, item, link);
	w->n_items--;
	map_item_free(item);
	return r;
}

static void react_to_failures(struct map_window *w)
{
	if (w->is_hopeless || output_has_failed())
		cancel_all(w, "map was given up");
	if (w->halt.failures == 0 || w->n_bad < w->halt.failures)
		return;
	w->no_more = true;
	if (w->halt.now)
		cancel_all(w, "another job of this map failed");
}

/* Prints what has ended and whose turn it is. */
static int print_settled(struct map_window *w)
{
	struct map_item *item = TAILQ_FIRST(&w->items), *next;
	int r = 0;

	for (; item && r == 0; item = next) {
		next = TAILQ_NEXT(item, link);
		if (!item->is_settled) {
			if (!w->unordered)
				break;
			continue;
		}
		r = end_item(w, item);
	}
	output_flush();
	return r;
}

static int react(struct map_window *w, int came)
{
	int r = 0;

	if (came & LOOP_SIGNAL) {
		if (w->is_interrupted)
			return -EINTR;
		w->is_interrupted = true;
		cancel_all(w, "map was interrupted");
	}
	if ((came & LOOP_INPUT) && w->want_input)
		r = map_source_read(&w->source);
	return r;
}

int map_window_run(struct map_window *w)
{
	int r;

	for (;;) {
		w->look_again = false;
		r = print_settled(w);
		react_to_failures(w);
		if (r >= 0)
			r = fill_window(w);
		if (r < 0 || (w->no_more && w->n_items == 0))
			return r;
		map_report_draw(&w->report);
		if (w->look_again)
			continue;
		r = loop_turn(w->ctl, w->want_input ? STDIN_FILENO : -1, POOLD_FOREVER);
		if (r >= 0)
			r = react(w, r);
		if (r < 0)
			return r;
	}
}
