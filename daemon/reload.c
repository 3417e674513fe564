/* A reload in three steps, of which only the last one changes anything:
 *
 *	read      the files as at the start, checked whole; what differs (config_diff)
 *	prepare   a zygote for each pool that is new or needs other processes: it loads and
 *	          prepares while the daemon serves as ever
 *	commit    when all of them are ready: nothing in it can fail
 *
 * Whatever goes wrong before the last step ends it; what was prepared is given up. A wish that
 * comes while one is under way is for the next one: its files may have been written since. All
 * wishes that wait share that one.
 */
#include "daemon/reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/answer.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/server.h"
#include "daemon/zygote.h"
#include "daemon/zygotes.h"

#define MESSAGE_BYTES 1024

TAILQ_HEAD(reload_wishes, reload_wish);

/* What has to be there for the commit of one pool. */
struct prepared {
	struct zygote *zygote;	  /* of one that is added or restarted */
	struct config_pool *kept; /* of one that is removed: room for its configuration */
};

struct reload {
	struct server *server;
	struct config_override override;
	struct reload_wishes waiting; /* for the next one */
	struct reload_wishes served;  /* by the one under way */
	bool is_asked;		      /* by a signal: for the next one */
	bool is_preparing;
	struct config *next;
	struct config_diff diff;
	struct prepared *prepared; /* beside diff.pools */
};

int reload_new(struct server *s, const struct config_override *override, struct reload **ret)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->server = s;
	r->override = *override;
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->served);
	*ret = r;
	return 0;
}

/* Whatever was prepared and is still here is not wanted. */
static void forget(struct reload *r)
{
	for (size_t i = 0; r->prepared && i < r->diff.n_pools; i++) {
		zygotes_give_up(r->prepared[i].zygote);
		free(r->prepared[i].kept);
	}
	free(take_ptr(r->prepared));
	config_diff_deinit(&r->diff);
	r->next = config_free(r->next);
	r->is_preparing = false;
}

/* ---- wishes ---- */

void reload_ask(struct reload *r)
{
	r->is_asked = true;
}

bool reload_is_asked(const struct reload *r)
{
	return !r->is_preparing && (r->is_asked || !TAILQ_EMPTY(&r->waiting));
}

void reload_wish(struct reload *r, struct reload_wish *w)
{
	TAILQ_INSERT_TAIL(&r->waiting, w, in_reload);
}

/* outcome: NULL: nobody is told. */
static void end_wishes(struct reload_wishes *wishes, const struct reload_outcome *outcome)
{
	struct reload_wish *w;

	while ((w = TAILQ_FIRST(wishes))) {
		TAILQ_REMOVE(wishes, w, in_reload);
		if (w->on_decided && outcome)
			w->on_decided(w->userdata, outcome);
		free(w->restart);
		free(w);
	}
}

struct reload *reload_free(struct reload *r)
{
	if (r) {
		end_wishes(&r->served, NULL);
		end_wishes(&r->waiting, NULL);
		forget(r);
	}
	free(r);
	return NULL;
}

/* ---- the end of one ---- */

static void end(struct reload *r, const struct reload_outcome *o)
{
	end_wishes(&r->served, o);
	forget(r);
	notify_ready("serving %s", listener_path(r->server->listener));
}

static void printf_like(3, 4)
	refuse(struct reload *r, const struct config_errors *errors, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	log_err("reload refused, nothing changed: %s", message);
	end(r, &(struct reload_outcome){
		       .code = OUTCOME_E_BAD_REQUEST,
		       .message = message,
		       .errors = errors,
	       });
}

static void refuse_files(struct reload *r, const struct config_errors *errors)
{
	char text[CONFIG_ERROR_BYTES], more[64] = "";

	config_error_text(&errors->all[0], text);
	if (errors->n > 1)
		snprintf(more, sizeof(more), " (and %zu more errors)", errors->n - 1);
	refuse(r, errors, "%s%s", text, more);
}

static void refuse_errno(struct reload *r, int error)
{
	refuse(r, NULL, "%s", strerror(-error));
}

/* ---- reading ---- */

static struct pool *pool_of(struct reload *r, const struct config_pool *c)
{
	return core_find_pool(&r->server->core, c->name, strlen(c->name));
}

/* NULL, or a pool that is to be restarted and is not there. */
static const char *add_restarts(struct reload *r)
{
	const struct reload_wish *w;

	TAILQ_FOREACH (w, &r->served, in_reload)
		for (size_t i = 0; i < w->restart_len; i += strlen(w->restart + i) + 1)
			if (!config_diff_restart(&r->diff, w->restart + i))
				return w->restart + i;
	return NULL;
}

static bool exceeds(const struct config *c, const struct config_pool *p)
{
	uint64_t bytes = answer_reserve_bytes(p->max_result_bytes);

	return bytes > c->limits.uid.n[ACCOUNT_BYTES] || bytes > c->limits.all.n[ACCOUNT_BYTES] ||
	       ANSWER_RESERVE_FDS > c->limits.uid.n[ACCOUNT_FDS] ||
	       ANSWER_RESERVE_FDS > c->limits.all.n[ACCOUNT_FDS];
}

/* Jobs that wait in a pool whose results fit into no quota any more would fail. */
static const struct config_pool_diff *first_without_room(const struct reload *r)
{
	for (size_t i = 0; i < r->diff.n_pools; i++) {
		const struct config_pool_diff *d = &r->diff.pools[i];

		if (d->old && d->next && exceeds(r->next, d->next) &&
			!exceeds(r->server->config, d->old))
			return d;
	}
	return NULL;
}

/* True: all of it is right as far as one can see. Else it was refused. */
static bool read_files(struct reload *r)
{
	cleanup(config_errors_clear) struct config_errors errors = {0};
	const struct config_pool_diff *d;
	const char *unknown;
	int e;

	e = config_load(&r->override, &r->next, &errors);
	if (e == 0)
		e = config_diff_init(&r->diff, r->server->config, r->next);
	if (e > 0 && errors.n) {
		refuse_files(r, &errors);
		return false;
	}
	if (e != 0) {
		refuse_errno(r, e);
		return false;
	}
	unknown = add_restarts(r);
	d = unknown ? NULL : first_without_room(r);
	if (unknown)
		refuse(r, NULL, "pool %s cannot be restarted: there is none of that name", unknown);
	else if (d)
		refuse(r, NULL,
			"%s: max_result of pool %s does not fit into [limits]: its jobs would fail",
			d->next->place, d->next->name);
	return !unknown && !d;
}

/* ---- preparing ---- */

static int prepare_pool(struct reload *r, size_t i)
{
	struct config_pool_diff *d = &r->diff.pools[i];
	struct prepared *p = &r->prepared[i];

	switch (d->fate) {
	case CONFIG_POOL_ADDED:
	case CONFIG_POOL_RESTARTED:
		return zygotes_prepare(
			workers_zygotes(r->server->workers), r->next, d->next, !d->old, &p->zygote);
	case CONFIG_POOL_REMOVED: p->kept = malloc(sizeof(*p->kept)); return p->kept ? 0 : -ENOMEM;
	default: return 0;
	}
}

static int prepare(struct reload *r)
{
	int e = 0;

	r->prepared = calloc(r->diff.n_pools, sizeof(*r->prepared));
	if (!r->prepared)
		return -ENOMEM;
	for (size_t i = 0; i < r->diff.n_pools && e == 0; i++)
		e = prepare_pool(r, i);
	return e;
}

/* A fresh worker is about as large as the zygote that it is forked from. */
static uint64_t fresh_kib(struct reload *r, size_t i)
{
	const struct zygote *z = r->prepared[i].zygote;

	if (!z)
		z = pool_of(r, r->diff.pools[i].next)->shell;
	return z->rss_kib;
}

static bool is_too_small(struct reload *r, size_t i)
{
	const struct config_pool_diff *d = &r->diff.pools[i];

	if (!d->next || !d->next->max_rss_bytes || d->fate == CONFIG_POOL_UNCHANGED)
		return false;
	if (!r->prepared[i].zygote && d->old->max_rss_bytes == d->next->max_rss_bytes)
		return false;
	return d->next->max_rss_bytes / 1024 < fresh_kib(r, i);
}

enum progress {
	REFUSED,
	PENDING,
	READY,
};

static enum progress look(struct reload *r)
{
	enum progress progress = READY;
	const char *reason;

	for (size_t i = 0; i < r->diff.n_pools; i++) {
		const struct config_pool *c = r->diff.pools[i].next;
		const struct zygote *z = r->prepared[i].zygote;

		if (z && !zygotes_is_ready(z, &reason)) {
			if (reason) {
				refuse(r, NULL, "%s: pool %s: %s", c->place, c->name, reason);
				return REFUSED;
			}
			progress = PENDING;
		} else if (is_too_small(r, i)) {
			refuse(r, NULL,
				"%s: pool %s: max_rss of %llu KiB is below the size of a fresh "
				"worker, %llu KiB",
				c->place, c->name, (unsigned long long)c->max_rss_bytes / 1024,
				(unsigned long long)fresh_kib(r, i));
			return REFUSED;
		}
	}
	return progress;
}

/* ---- the commit ---- */

static void commit_pool(struct reload *r, size_t i, uint64_t now_us)
{
	struct zygotes *all = workers_zygotes(r->server->workers);
	struct config_pool_diff *d = &r->diff.pools[i];
	struct prepared *p = &r->prepared[i];
	struct pool *pool;

	switch (d->fate) {
	case CONFIG_POOL_ADDED: zygotes_join(all, p->zygote); break;
	case CONFIG_POOL_RESTARTED:
		zygotes_change(all, pool_of(r, d->next), d->next, d->is_resized);
		zygotes_take_over(p->zygote, pool_of(r, d->next));
		break;
	case CONFIG_POOL_CHANGED:
		zygotes_change(all, pool_of(r, d->next), d->next, d->is_resized);
		break;
	case CONFIG_POOL_REMOVED:
		pool = pool_of(r, d->old);
		config_pool_take(p->kept, d->old);
		zygotes_remove(pool, take_ptr(p->kept), now_us);
		break;
	default: break;
	}
	p->zygote = NULL;
}

/* Behind what is there; what does not fit is cut. */
static void printf_like(2, 3) append(char text[MESSAGE_BYTES], const char *format, ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, MESSAGE_BYTES - n, format, args);
	va_end(args);
}

static void log_outcome(const struct config_diff *d)
{
	char text[MESSAGE_BYTES] = "";

	for (size_t i = 0; i < d->n_pools; i++)
		if (d->pools[i].fate != CONFIG_POOL_UNCHANGED)
			append(text, " pool %s %s,", d->pools[i].name,
				config_pool_fate_name(d->pools[i].fate));
	for (size_t i = 0; i < d->now.n; i++)
		append(text, " %s,", d->now.names[i]);
	if (!text[0])
		append(text, " nothing changed,");
	log_notice("reloaded:%.*s", (int)strlen(text) - 1, text);
	for (size_t i = 0; i < d->at_restart.n; i++)
		log_warning("%s was changed, which has no effect before poold is restarted",
			d->at_restart.names[i]);
}

static void commit(struct reload *r, uint64_t now_us)
{
	struct server *s = r->server;
	struct config *before = s->config;

	config_keep_running(r->next, before);
	if (memcmp(&r->next->limits, &before->limits, sizeof(before->limits)) != 0)
		core_set_limits(&s->core, &r->next->limits);
	for (size_t i = 0; i < r->diff.n_pools; i++)
		commit_pool(r, i, now_us);
	zygotes_use(workers_zygotes(s->workers), r->next);
	s->config = take_ptr(r->next);
	log_set_level(s->config->log_level);
	log_outcome(&r->diff);
	end(r, &(struct reload_outcome){.diff = &r->diff});
	config_free(before);
}

/* ---- turns ---- */

static void look_and_commit(struct reload *r, uint64_t now_us)
{
	if (look(r) == READY)
		commit(r, now_us);
}

static void begin(struct reload *r, uint64_t now_us)
{
	int e;

	r->is_asked = false;
	TAILQ_CONCAT(&r->served, &r->waiting, in_reload);
	notify_reloading(now_us);
	if (!read_files(r))
		return;
	e = prepare(r);
	if (e < 0) {
		refuse_errno(r, e);
		return;
	}
	r->is_preparing = true;
	look_and_commit(r, now_us);
}

/* Nobody gets another configuration from a daemon that stops. */
static void stop(struct reload *r)
{
	static const struct reload_outcome stopping = {
		.code = OUTCOME_E_DRAINING,
		.message = "the daemon is stopping and reads no configuration",
	};

	r->is_asked = false;
	end_wishes(&r->served, &stopping);
	end_wishes(&r->waiting, &stopping);
	forget(r);
}

void reload_turn(struct reload *r, uint64_t now_us)
{
	if (r->server->state > SERVER_SERVING)
		stop(r);
	if (r->server->state != SERVER_SERVING)
		return;
	if (r->is_preparing)
		look_and_commit(r, now_us);
	if (reload_is_asked(r))
		begin(r, now_us);
}
