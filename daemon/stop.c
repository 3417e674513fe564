/* The way out:
 *
 *	serving ──► finishing ──► draining ──► aborting ──► last words ──► stopped
 *
 *	finishing   no new jobs; those that are there go on as ever, and are asked for, also by
 *	            clients that come now
 *	draining    the socket is closed; what waits was aborted, what runs may end
 *	aborting    what ran still was rung or killed
 *	last words  every job is final: answers go out, workers and zygotes go home
 *
 * Steps are left out, never taken back. Each but the first has an end, so the daemon stops whatever
 * jobs and clients do. Every job becomes final before the last words (but for that of a process
 * that cannot be killed), so everybody who waits has an answer by then.
 */
#include "daemon/stop.h"

#include "daemon/listener.h"
#include "daemon/log.h"

/* Answers to clients that read slowly, and workers on their way out, are waited for this long at
 * the stop. */
#define LAST_WORDS_US (2 * 1000 * 1000ull)
/* Beyond the grace of its jobs: for the death path, which may have strangers to settle first. */
#define STOP_SLACK_US (3 * 1000 * 1000ull)

static const char *const names[] = {
	[STOP_FINISH] = "finish",
	[STOP_TERM] = "term",
	[STOP_KILL] = "kill",
};

const char *stop_mode_name(enum stop_mode m)
{
	return names[m];
}

static unsigned long long unfinished(const struct server *s)
{
	return core_unfinished(&s->core);
}

static uint64_t longest_grace_us(const struct server *s)
{
	uint64_t longest_us = 0;
	const struct pool *p;

	for (p = core_first_pool(&s->core); p; p = core_next_pool(p))
		if (p->config.grace_us > longest_us)
			longest_us = p->config.grace_us;
	return longest_us;
}

/* ---- steps ---- */

static void close_doors(struct server *s, uint64_t now_us)
{
	if (!s->core.is_draining)
		notify_stopping("ending %llu jobs", unfinished(s));
	s->listener = listener_free(s->listener);
	core_drain(&s->core, now_us);
}

static void finish(struct server *s, uint64_t within_us, uint64_t now_us)
{
	if (s->state < SERVER_FINISHING)
		log_notice("no new jobs: %llu are finished first", unfinished(s));
	s->state = SERVER_FINISHING;
	s->stop_at_us = heap_after(now_us, within_us);
	core_close(&s->core);
}

static void drain(struct server *s, uint64_t within_us, uint64_t now_us)
{
	if (s->state == SERVER_DRAINING && within_us == HEAP_NEVER)
		return;
	s->state = SERVER_DRAINING;
	s->stop_at_us = heap_after(
		now_us, within_us == HEAP_NEVER ? s->config->stop_timeout_us : within_us);
	close_doors(s, now_us);
}

static void abort_running(struct server *s, enum cancel_mode mode, uint64_t now_us)
{
	uint64_t grace_us = mode == CANCEL_KILL ? 0 : longest_grace_us(s);

	log_notice("%llu jobs are aborted", unfinished(s));
	s->state = SERVER_ABORTING;
	s->stop_at_us = now_us + grace_us + STOP_SLACK_US;
	close_doors(s, now_us);
	core_stop_running(&s->core, mode, now_us);
}

static void begin_last_words(struct server *s, uint64_t now_us)
{
	close_doors(s, now_us);
	s->state = SERVER_LAST_WORDS;
	s->stop_at_us = now_us + LAST_WORDS_US;
	workers_dismiss(s->workers);
}

/* ---- who asks ---- */

void stop_begin(struct server *s, enum stop_mode mode, uint64_t within_us, uint64_t now_us)
{
	if (mode == STOP_FINISH && s->state <= SERVER_FINISHING)
		finish(s, within_us, now_us);
	else if (mode == STOP_TERM && s->state <= SERVER_DRAINING)
		drain(s, within_us, now_us);
	else if (mode == STOP_KILL && s->state <= SERVER_ABORTING)
		abort_running(s, CANCEL_KILL, now_us);
}

void stop_signalled(struct server *s, const char *name, uint64_t now_us)
{
	switch (s->state) {
	case SERVER_DRAINING:
		log_notice("%s once more: running jobs are ended", name);
		abort_running(s, CANCEL_TERM, now_us);
		break;
	case SERVER_ABORTING:
		log_notice("%s once more: running jobs are killed", name);
		abort_running(s, CANCEL_KILL, now_us);
		break;
	case SERVER_LAST_WORDS:
	case SERVER_STOPPED: break;
	default: log_notice("%s: stopping", name); stop_begin(s, STOP_TERM, HEAP_NEVER, now_us);
	}
}

void stop_turn(struct server *s, uint64_t now_us)
{
	bool is_time = now_us >= s->stop_at_us, is_through = unfinished(s) == 0;

	switch (s->state) {
	case SERVER_FINISHING:
	case SERVER_DRAINING:
		if (is_through)
			begin_last_words(s, now_us);
		else if (is_time)
			abort_running(s, CANCEL_TERM, now_us);
		break;
	case SERVER_ABORTING:
		if (is_through || is_time)
			begin_last_words(s, now_us);
		break;
	case SERVER_LAST_WORDS:
		if (is_time || (conns_are_flushed(&s->conns) && !workers_left(s->workers)))
			s->state = SERVER_STOPPED;
		break;
	default: break;
	}
}
