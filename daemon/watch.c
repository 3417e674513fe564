/* Watches.
 *
 * A watch has an entry for each of its futures, charged to the watcher's uid. News of a future only
 * marks its entries; they are written when the connection has room, from what is so by then. So
 * a watcher that does not read holds no more than its entries, however much happens:
 *
 *	states    the last few of each future are kept, in order
 *	progress  the latest one counts; told every EXTRA_LOOK_US at most
 *	output    is read from where it was told up to; it goes when another run follows
 *	final     is told last, from the future itself, which the entry pins until then
 *
 * What a watcher with no room misses is counted and told as `dropped`. A watch of futures that are
 * not there yet (of a group, of all) takes them when they are made; if its uid's quota does not
 * hold another entry, the connection is over, since a final would be missing.
 *
 * The answer to a request goes to the outbox at once and events when it is flushed, so an answer
 * that tells a number precedes everything about it.
 */
#include "daemon/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/conn.h"
#include "daemon/extra.h"
#include "daemon/final_hook.h"
#include "daemon/watch_event.h"

#define HASH_NONFATAL_OOM 1 /* out of memory is an error like others, not the end */
#include <uthash.h>

/* States of a future that are kept for a watcher with no room. */
#define MOVES_MAX 8u
/* Output in one event. */
#define PIECE_BYTES (32u * 1024u)

struct watch {
	struct pending pending; /* never ready: so it goes with its connection */
	struct watches *all;
	uint64_t number;
	bool wants_progress, wants_output;
	struct watch_place of_group, of_all;
	struct watched *by_id; /* uthash */
	UT_hash_handle hh;
};

struct move {
	uint16_t attempt;
	uint8_t state;
};

struct watched {
	struct pending pending; /* of the same connection */
	struct heap_node timer;
	struct final_hook hook;
	struct watch *watch;
	struct future *future; /* pinned */
	uint64_t id;
	bool has_progress; /* to be told */
	uint8_t n_moves;
	struct move moves[MOVES_MAX]; /* to be told */
	uint64_t n_dropped;	      /* to be told */
	uint64_t progress_told_us;
	uint64_t told_bytes[_STREAM_MAX]; /* of this run's output */
	UT_hash_handle hh;
};

/* ---- news of a future ---- */

static void note_state(struct watched *e)
{
	const struct future *f = e->future;

	if (e->n_moves == MOVES_MAX) {
		e->n_dropped++;
		e->n_moves--;
		memmove(e->moves, e->moves + 1, e->n_moves * sizeof(e->moves[0]));
	}
	e->moves[e->n_moves++] = (struct move){
		.attempt = (uint16_t)attempts_count(f), .state = (uint8_t)f->state};
	pending_ready(&e->pending);
}

static void note_progress(struct watched *e)
{
	uint64_t now_us = clock_now_us();

	if (e->has_progress && !conn_has_room(e->pending.conn))
		e->n_dropped++;
	e->has_progress = true;
	if (now_us >= e->progress_told_us + EXTRA_LOOK_US)
		pending_ready(&e->pending);
	else
		pending_set_time(&e->pending, extra_next_look(now_us));
}

static bool has_output(const struct watched *e, int stream)
{
	return e->watch->wants_output &&
	       extra_output_bytes(e->future, stream) > e->told_bytes[stream];
}

static void note_run_over(struct watched *e)
{
	e->n_dropped += e->has_progress;
	e->has_progress = false;
	for (int i = 0; i < _STREAM_MAX; i++) {
		e->n_dropped += has_output(e, i);
		e->told_bytes[i] = 0;
	}
}

static void on_news(struct final_hook *h, struct future *f, enum future_news news)
{
	struct watched *e = container_of(h, struct watched, hook);

	switch (news) {
	case NEWS_STATE: note_state(e); break;
	case NEWS_PROGRESS:
		if (e->watch->wants_progress)
			note_progress(e);
		break;
	case NEWS_OUTPUT:
		if (e->watch->wants_output)
			pending_ready(&e->pending);
		break;
	case NEWS_RUN_OVER: note_run_over(e); break;
	}
}

static void on_final(struct final_hook *h, struct future *f)
{
	struct watched *e = container_of(h, struct watched, hook);

	pending_set_time(&e->pending, HEAP_NEVER);
	pending_ready(&e->pending);
}

static const struct final_hook_ops hook_ops = {on_final, on_news};

/* ---- telling ---- */

/* One piece. True: there is more. */
static bool tell_output(struct watched *e, const struct watch_event *to, int stream)
{
	static uint8_t piece[PIECE_BYTES];
	uint64_t *at = &e->told_bytes[stream];
	ssize_t n;

	if (!has_output(e, stream))
		return false;
	n = pread(future_extra(e->future)->output_fd[stream], piece, sizeof(piece), (off_t)*at);
	if (n <= 0)
		return false;
	watch_event_output(to, stream, *at, piece, (size_t)n);
	*at += (uint64_t)n;
	return has_output(e, stream);
}

static void tell_progress(struct watched *e, const struct watch_event *to)
{
	const struct future_extra *x = future_extra(e->future);

	if (!e->has_progress)
		return;
	e->has_progress = false;
	if (!x || !x->has_progress)
		return;
	e->progress_told_us = clock_now_us();
	watch_event_progress(to, e->future);
}

/* Output that grows is looked at until the end. */
static void look_later(struct watched *e, uint64_t now_us)
{
	const struct future_extra *x = future_extra(e->future);
	bool may_grow = false;

	for (int i = 0; i < _STREAM_MAX; i++)
		may_grow |= e->watch->wants_output && x && x->output_fd[i] >= 0;
	pending_set_time(
		&e->pending, may_grow || e->has_progress ? extra_next_look(now_us) : HEAP_NEVER);
}

static void watched_write(struct pending *p)
{
	struct watched *e = container_of(p, struct watched, pending);
	const struct watch_event to = {p->conn, e->watch->number, e->id};
	bool is_more = false;

	for (unsigned i = 0; i < e->n_moves; i++)
		watch_event_state(&to, (enum future_state)e->moves[i].state, e->moves[i].attempt);
	e->n_moves = 0;
	if (e->n_dropped)
		watch_event_dropped(&to, e->n_dropped);
	e->n_dropped = 0;
	tell_progress(e, &to);
	for (int i = 0; i < _STREAM_MAX; i++)
		is_more |= tell_output(e, &to, i);
	if (is_more) {
		pending_ready(p);
	} else if (future_state_is_final(e->future->state)) {
		watch_event_final(&to, e->future);
		pending_remove(p, false);
	} else {
		look_later(e, clock_now_us());
	}
}

static void watched_on_time(struct pending *p, uint64_t now_us)
{
	struct watched *e = container_of(p, struct watched, pending);

	if (e->has_progress || has_output(e, STREAM_STDOUT) || has_output(e, STREAM_STDERR))
		pending_ready(p);
	else
		look_later(e, now_us);
}

/* ---- entries ---- */

static void uncharge(struct watches *all, struct conn *c, size_t size)
{
	account_give_one(c->account, ACCOUNT_BYTES, size);
	all->bytes -= size;
}

static void watched_free(struct pending *p, bool is_closing)
{
	struct watched *e = container_of(p, struct watched, pending);
	struct core *core = e->watch->all->core;

	if (e->hh.tbl)
		HASH_DEL(e->watch->by_id, e);
	core_unwait(core, &e->hook.waiter);
	core_unpin(core, e->future);
	e->watch->all->n_watched--;
	uncharge(e->watch->all, p->conn, sizeof(*e));
	free(e);
}

const struct pending_ops watched_ops = {watched_write, watched_on_time, watched_free,
	.is_lasting = true, .timer_at = PENDING_TIMER_AT(struct watched)};

/* A pending of the connection, charged: `size` bytes that begin with it. */
static int charged_new(struct watches *all, struct conn *c, enum pending_type type, size_t size,
	struct pending **ret, struct refusal *ret_refusal)
{
	struct pending *p;
	int r;

	r = account_take_one(c->account, ACCOUNT_BYTES, size, ret_refusal);
	if (r)
		return r;
	p = calloc(1, size);
	r = p ? pending_add(p, c, type, ret_refusal) : -ENOMEM;
	if (r) {
		free(p);
		account_give_one(c->account, ACCOUNT_BYTES, size);
		return r;
	}
	all->bytes += size;
	*ret = p;
	return 0;
}

int watch_take(struct watch *w, struct future *f, struct refusal *ret_refusal)
{
	struct watched *e;
	struct pending *p;
	int r;

	HASH_FIND(hh, w->by_id, &f->id, sizeof(f->id), e);
	if (e)
		return 0;
	r = charged_new(w->all, w->pending.conn, PENDING_WATCHED, sizeof(*e), &p, ret_refusal);
	if (r)
		return r;
	e = container_of(p, struct watched, pending);
	w->all->n_watched++;
	e->watch = w;
	e->future = f;
	e->id = f->id;
	e->hook.ops = &hook_ops;
	core_pin(f);
	HASH_ADD(hh, w->by_id, id, sizeof(e->id), e);
	if (!e->hh.tbl) {
		pending_remove(p, false);
		return -ENOMEM;
	}
	if (!future_state_is_final(f->state))
		note_state(e);
	e->has_progress = w->wants_progress && future_extra(f) && future_extra(f)->has_progress;
	core_watch(w->all->core, f, &e->hook.waiter);
	return 0;
}

/* ---- watches ---- */

void watches_init(struct watches *all, struct core *core)
{
	*all = (struct watches){.core = core, .scopes = {.seed = &core->seed}};
}

static void watch_free(struct pending *p, bool is_closing)
{
	struct watch *w = container_of(p, struct watch, pending);
	struct watched *e, *next;

	HASH_ITER (hh, w->by_id, e, next)
		pending_remove(&e->pending, is_closing);
	watch_scope_leave(&w->all->scopes, &w->of_group);
	watch_scope_leave(&w->all->scopes, &w->of_all);
	if (w->hh.tbl)
		HASH_DEL(w->all->by_number, w);
	w->all->n--;
	uncharge(w->all, p->conn, sizeof(*w));
	free(w);
}

const struct pending_ops watch_ops = {.free = watch_free};

static int join_scopes(struct watch *w, const struct watch_wishes *wishes)
{
	uint32_t uid = account_uid(w->pending.conn->account);
	const struct watch_key group = {WATCH_GROUP, uid, wishes->group, wishes->group_len};
	const struct watch_key all = {wishes->is_of_everyone ? WATCH_EVERYONE : WATCH_UID,
		wishes->is_of_everyone ? 0 : uid, NULL, 0};
	int r = 0;

	if (wishes->group)
		r = watch_scope_join(&w->all->scopes, &group, &w->of_group);
	if (r == 0 && wishes->is_of_all)
		r = watch_scope_join(&w->all->scopes, &all, &w->of_all);
	return r;
}

int watch_new(struct watches *all, struct conn *c, const struct watch_wishes *wishes,
	struct watch **ret, struct refusal *ret_refusal)
{
	struct pending *p;
	struct watch *w;
	int r;

	r = charged_new(all, c, PENDING_WATCH, sizeof(*w), &p, ret_refusal);
	if (r)
		return r;
	w = container_of(p, struct watch, pending);
	all->n++;
	w->all = all;
	w->number = ++all->last_number;
	w->wants_progress = wishes->progress;
	w->wants_output = wishes->output;
	w->of_group.watch = w->of_all.watch = w;
	HASH_ADD(hh, all->by_number, number, sizeof(w->number), w);
	r = w->hh.tbl ? join_scopes(w, wishes) : -ENOMEM;
	if (r < 0) {
		pending_remove(p, false);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_remove(struct watch *w)
{
	pending_remove(&w->pending, false);
}

struct watch *watch_find(const struct watches *all, const struct conn *c, uint64_t number)
{
	struct watch *w;

	HASH_FIND(hh, all->by_number, &number, sizeof(number), w);
	return w && w->pending.conn == c ? w : NULL;
}

uint64_t watch_number(const struct watch *w)
{
	return w->number;
}

/* ---- futures that come later ---- */

static void join(struct watch *w, struct future *f)
{
	struct conn *c = w->pending.conn;
	struct refusal why;
	int r;

	if (c->state > CONN_ENDED)
		return;
	r = watch_take(w, f, &why);
	if (r < 0)
		conn_fatal(c, "full", "no memory to watch one more future");
	else if (r)
		conn_fatal(c, why.of_uid ? "quota" : "full",
			"limit of %s: one more future cannot be watched",
			account_kind_name(why.kind));
}

static void join_scope(struct watches *all, const struct watch_key *key, struct future *f)
{
	struct watch_places *places = watch_scope_find(&all->scopes, key);
	struct watch_place *place;

	if (places)
		LIST_FOREACH (place, places, in_scope)
			join(place->watch, f);
}

void watches_joined(struct watches *all, struct future *f)
{
	const char *group = future_group(f);
	uint32_t uid = future_uid(f);

	if (!all->scopes.by_key)
		return;
	if (group)
		join_scope(all, &(struct watch_key){WATCH_GROUP, uid, group, strlen(group)}, f);
	join_scope(all, &(struct watch_key){WATCH_UID, uid, NULL, 0}, f);
	join_scope(all, &(struct watch_key){WATCH_EVERYONE, 0, NULL, 0}, f);
}
