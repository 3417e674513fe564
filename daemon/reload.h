/* Another configuration, while the daemon serves. All of it or nothing. */
#pragma once

#include <sys/queue.h>

#include "daemon/config.h"
#include "daemon/config_diff.h"
#include "proto/outcome.h"

struct reload;
struct reload_wish;
struct server;

/* What a reload came to. */
struct reload_outcome {
	const struct config_diff *diff; /* NULL: it was refused, and nothing changed */
	/* refused: */
	enum outcome_code code;
	const char *message;
	const struct config_errors *errors; /* what is wrong with the files, if it is that */
};

/* Somebody's wish for one. It is done also if that somebody leaves: then nobody is told. */
struct reload_wish {
	TAILQ_ENTRY(reload_wish) in_reload;
	/* Pools that are to be restarted in any case, one behind the other, each ended by a NUL. */
	char *restart;
	size_t restart_len;
	/* NULL: nobody. The outcome and the wish go when this returns. */
	void (*on_decided)(void *userdata, const struct reload_outcome *outcome);
	void *userdata;
};

must_check int reload_new(
	struct server *s, const struct config_override *override, struct reload **ret);
/* Takes NULL, returns NULL. */
struct reload *reload_free(struct reload *r);
/* A signal asks; the log is told. */
void reload_ask(struct reload *r);
/* One that is under way may have read the files before they were changed: the wish is served by the
 * next one, together with all others that come until then. Both are taken over: malloc()ed. */
void reload_wish(struct reload *r, struct reload_wish *w);
/* Once per turn of the loop, before core_turn(). */
void reload_turn(struct reload *r, uint64_t now_us);
/* A turn is wanted. Not while one is under way: then an event brings it. */
bool reload_is_asked(const struct reload *r);
