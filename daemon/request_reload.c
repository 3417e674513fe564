/* The method reload. Its answer is written down when it is decided, since the connection may take
 * it later than the outcome lasts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/option.h"
#include "daemon/reload.h"
#include "daemon/reply.h"

/* Names of pools and keys, and errors of the files. */
#define ANSWER_BYTES (256u * 1024u)
#define ERRORS_MAX   20u
#define RESTARTS_MAX 256u

struct wait {
	struct pending pending;
	struct heap_node timer;
	struct reload_wish *wish; /* NULL: it was decided */
	struct reply_to to;
	struct buf answer;   /* the result; refused: the details */
	const char *refused; /* the code of the error; NULL: it is none */
	char message[1024];
};

/* ---- what it came to ---- */

static void pack_pools(struct bufpack *p, const struct config_diff *d, enum config_pool_fate fate)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_pools; i++)
		n += d->pools[i].fate == fate;
	bufpack_text(p, config_pool_fate_name(fate));
	bufpack_array(p, n);
	for (size_t i = 0; i < d->n_pools; i++)
		if (d->pools[i].fate == fate)
			bufpack_text(p, d->pools[i].name);
}

static void pack_keys(struct bufpack *p, const char *what, const struct config_diff_keys *keys)
{
	bufpack_text(p, what);
	bufpack_array(p, keys->n);
	for (size_t i = 0; i < keys->n; i++)
		bufpack_text(p, keys->names[i]);
}

static void pack_result(struct bufpack *p, const struct config_diff *d)
{
	bufpack_map(p, _CONFIG_POOL_FATE_MAX + 2);
	for (int f = 0; f < _CONFIG_POOL_FATE_MAX; f++)
		pack_pools(p, d, (enum config_pool_fate)f);
	pack_keys(p, "settings", &d->now);
	pack_keys(p, "needs_restart", &d->at_restart);
}

static void pack_error(struct bufpack *p, const struct config_error *e)
{
	bufpack_map(p, 3);
	bufpack_field_text(p, "file", e->file);
	bufpack_text(p, "line");
	bufpack_uint(p, (uint64_t)e->line);
	bufpack_field_text(p, "message", e->message);
}

static void pack_details(struct bufpack *p, const struct config_errors *errors)
{
	size_t n = errors ? errors->n : 0;

	n = n < ERRORS_MAX ? n : ERRORS_MAX;
	bufpack_map(p, 1);
	bufpack_text(p, "errors");
	bufpack_array(p, n);
	for (size_t i = 0; i < n; i++)
		pack_error(p, &errors->all[i]);
}

static void on_decided(void *userdata, const struct reload_outcome *o)
{
	struct wait *w = userdata;
	struct bufpack p;

	w->wish = NULL;
	bufpack_init(&p, &w->answer);
	if (o->diff) {
		pack_result(&p, o->diff);
	} else {
		pack_details(&p, o->errors);
		w->refused = outcome_code_name(o->code);
		snprintf(w->message, sizeof(w->message), "%s", o->message);
	}
	if (bufpack_error(&p) < 0)
		buf_deinit(&w->answer);
	pending_ready(&w->pending);
}

/* ---- who waits ---- */

static void pack_answer(struct bufpack *p, const struct wait *w)
{
	if (buf_used(&w->answer))
		bufpack_raw(p, buf_head(&w->answer), buf_used(&w->answer));
	else
		bufpack_map(p, 0); /* there was no memory for more */
}

static void wait_write(struct pending *p)
{
	struct wait *w = container_of(p, struct wait, pending);

	if (w->refused) {
		pack_answer(reply_begin_error(w->to, w->refused, w->message), w);
		reply_end_error();
	} else {
		pack_answer(reply_begin(w->to), w);
		reply_end();
	}
}

static void wait_free(struct pending *p, bool is_closing)
{
	struct wait *w = container_of(p, struct wait, pending);

	if (w->wish)
		w->wish->on_decided = NULL;
	buf_deinit(&w->answer);
	free(w);
}

/* It has no time of its own. */
static void wait_on_time(struct pending *p, uint64_t now_us)
{
}

const struct pending_ops reload_ops = {
	wait_write, wait_on_time, wait_free, .timer_at = PENDING_TIMER_AT(struct wait)};

/* ---- the request ---- */

struct names {
	char *texts; /* one behind the other, each ended by a NUL */
	size_t len;
};

static bool add_name(struct request *r, const char *key, struct names *names)
{
	struct text_view name;
	char *grown;

	if (!option_text(r, key, &name))
		return false;
	if (name.len == 0 || name.len > PROTO_NAME_BYTES || memchr(name.text, 0, name.len))
		return option_refuse(r, key, "the name of a pool, or a list of them,");
	grown = realloc(names->texts, names->len + name.len + 1);
	if (!grown) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	memcpy(grown + names->len, name.text, name.len);
	grown[names->len + name.len] = '\0';
	names->texts = grown;
	names->len += name.len + 1;
	return true;
}

static bool read_restart(struct request *r, const char *key, void *into)
{
	uint32_t n = 1;

	if (cursor_array(&r->params, &n) && n > RESTARTS_MAX)
		return option_refuse(r, key, "a list of at most 256 pools");
	for (; n > 0; n--)
		if (!add_name(r, key, into))
			return false;
	return true;
}

static const struct option reload_options[] = {{"restart", read_restart, 0}};

/* Consumes the names on success. */
static bool wait_new(struct request *r, struct names *names)
{
	struct reload_wish *wish = calloc(1, sizeof(*wish));
	struct wait *w = calloc(1, sizeof(*w));
	struct refusal why;
	int e;

	e = w && wish ? pending_add(&w->pending, r->conn, PENDING_RELOAD, &why) : -ENOMEM;
	if (e) {
		free(w);
		free(wish);
		request_fail_charge(r, e, &why);
		return false;
	}
	buf_init(&w->answer, ANSWER_BYTES);
	w->to = reply_to_request(r);
	w->wish = wish;
	*wish = (struct reload_wish){
		.restart = names->texts,
		.restart_len = names->len,
		.on_decided = on_decided,
		.userdata = w,
	};
	reload_wish(r->server->reload, wish);
	return true;
}

void request_reload(struct request *r)
{
	struct names names = {0};

	if (!request_is_admin(r, "reload"))
		return;
	if (request_next(r) && !cursor_nil(&r->params)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"reload reads the configuration as a whole: its first parameter is nil");
		return;
	}
	if (!option_read(r, reload_options, ARRAY_SIZE(reload_options), &names) ||
		!wait_new(r, &names))
		free(names.texts);
}
