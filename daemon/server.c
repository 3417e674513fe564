/* The loop: one turn is a batch of events, then what follows from them, in a fixed order.
 *
 *	events        sockets, pidfds, signals, the timer: state changes, nothing is sent to clients
 *	workers_turn  death paths that needed more than one event
 *	reload_turn   another configuration, when all that it needs is ready
 *	conns_turn    input that was held back, times of waits
 *	core_turn     time-outs, hand-over
 *	conns_flush   everything that clients are owed, coalesced
 *	core_sweep, conns_sweep
 *	              the only places that free futures and connections
 *	lobby_turn    requests that waited for the room that all this made
 *
 * Start: what can fail without having touched anything comes first; the socket opens, and READY is
 * said, when every pool has its functions or has failed. Signals wait until there is something that
 * can be stopped. The way out stands in stop.c.
 */
#include "daemon/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/drain.h"
#include "daemon/idmark.h"
#include "daemon/listener.h"
#include "daemon/lobby.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/request.h"
#include "daemon/spawn.h"
#include "daemon/stop.h"
#include "proto/fdpass.h"

static const struct conn_ops conn_ops = {.on_message = request_on_message};

/* ---- signals ---- */

static void mask_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(how, &set, NULL);
}

void server_hold_signals(void)
{
	mask_signals(SIG_BLOCK);
}

static void on_stop_signal(evutil_socket_t signo, short what, void *userdata)
{
	struct server *s = userdata;

	stop_signalled(s, signo == SIGTERM ? "SIGTERM" : "SIGINT", clock_now_us());
}

static void on_reload_signal(evutil_socket_t signo, short what, void *userdata)
{
	struct server *s = userdata;

	reload_ask(s->reload);
}

static void on_dump_signal(evutil_socket_t signo, short what, void *userdata)
{
	struct server *s = userdata;
	struct pool *p;

	log_notice("state: %u connections, %llu jobs unfinished, %u futures", s->conns.n,
		(unsigned long long)core_unfinished(&s->core), s->core.table.n);
	for (p = core_first_pool(&s->core); p; p = core_next_pool(p))
		log_notice("state: pool %s: %llu queued, %u idle, %u busy, %u starting", p->name,
			(unsigned long long)p->queue.n, p->n_by_state[SLOT_IDLE],
			p->n_by_state[SLOT_BUSY], p->n_by_state[SLOT_STARTING]);
	log_notice("state: %llu spins, %llu of them in vain", (unsigned long long)s->spin.n_spins,
		(unsigned long long)s->spin.n_vain);
}

static int watch_signal(struct server *s, int signo, event_callback_fn callback)
{
	struct event *e = evsignal_new(s->base, signo, callback, s);

	if (!e || event_add(e, NULL) < 0) {
		if (e)
			event_free(e);
		return -ENOMEM;
	}
	s->signals[s->n_signals++] = e;
	return 0;
}

static int watch_signals(struct server *s)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = watch_signal(s, SIGTERM, on_stop_signal);
	if (r == 0)
		r = watch_signal(s, SIGINT, on_stop_signal);
	if (r == 0)
		r = watch_signal(s, SIGHUP, on_reload_signal);
	if (r == 0)
		r = watch_signal(s, SIGUSR1, on_dump_signal);
	mask_signals(SIG_UNBLOCK);
	return r;
}

/* ---- start ---- */

static void on_accept(int fd, void *userdata)
{
	struct server *s = userdata;

	conns_accept(&s->conns, fd, s->config->admin_gid);
}

/* Payloads are fds, so as many as the system allows. */
static void raise_fd_limit(void)
{
	struct rlimit l;

	spawn_remember_limits();
	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_warning("cannot raise RLIMIT_NOFILE: %s", strerror(errno));
}

static struct event_base *base_new(void)
{
	const int features = EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE;
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	/* What epoll can. */
	if (event_config_require_features(config, features) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int start(struct server *s, const struct config_override *override)
{
	struct siphash_key seed;
	uint64_t first_id, id_end;
	int r;

	raise_fd_limit();
	fdpass_set_close(closer_close);
	s->base = base_new();
	if (!s->base)
		return -ENOMEM;
	r = deadline_init(&s->deadline, s->base);
	if (r < 0)
		return r;
	r = idmark_new(s->config->state_dir, &s->idmark, &first_id, &id_end);
	if (r)
		return r;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	r = core_init(&s->core, &s->config->limits, &workers_ops, NULL, first_id, id_end, &seed);
	if (r < 0)
		return r;
	s->has_core = true;
	conns_init(&s->conns, s->base, &s->core, &conn_ops, s);
	watches_init(&s->watches, &s->core);
	notify_init(&s->notify);
	r = reload_new(s, override, &s->reload);
	if (r == 0)
		r = watch_signals(s);
	if (r == 0)
		r = workers_new(s->base, s->config, &s->core, &s->workers);
	return r;
}

int server_new(struct config *config, const struct config_override *override, struct server **ret)
{
	struct server *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s) {
		config_free(config);
		return -ENOMEM;
	}
	s->config = config;
	TAILQ_INIT(&s->drains);
	s->started_us = clock_now_us();
	s->deadline = DEADLINE_NONE;
	s->stop_at_us = HEAP_NEVER;
	spin_init(&s->spin);
	r = start(s, override);
	if (r) {
		if (r < 0)
			log_err("cannot start: %s", strerror(-r));
		server_free(s);
		return r < 0 ? r : -EBUSY;
	}
	*ret = s;
	return 0;
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	listener_free(s->listener);
	if (s->has_core)
		conns_deinit(&s->conns);
	reload_free(s->reload);
	workers_free(s->workers);
	if (s->has_core)
		core_deinit(&s->core);
	idmark_free(s->idmark);
	/* Whoever asks again while we are leaving must not change the exit code. */
	server_hold_signals();
	for (unsigned i = 0; i < s->n_signals; i++)
		event_free(s->signals[i]);
	deadline_deinit(&s->deadline);
	if (s->base)
		event_base_free(s->base);
	config_free(s->config);
	free(s);
	closer_stop();
	return NULL;
}

/* ---- the loop ---- */

/* Clients come in when every function is known. */
static void become_ready(struct server *s)
{
	int r;

	r = listener_new(s->base, s->config, on_accept, s, &s->listener);
	if (r) {
		if (r == -ENOMEM)
			log_err("cannot listen: out of memory");
		s->exit_code = EXIT_FAILURE;
		s->state = SERVER_STOPPED;
		return;
	}
	s->state = SERVER_SERVING;
	notify_ready("serving %s", listener_path(s->listener));
	/* Whoever started it waits for this word, so it is no matter of log levels. */
	dprintf(STDERR_FILENO, "READY: serving %s\n", listener_path(s->listener));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One line for `systemctl status`. Returns when to come again. */
static uint64_t tell_status(struct server *s, uint64_t now_us)
{
	uint64_t n_queued = 0, n_done = 0;
	struct pool *p;

	if (s->state != SERVER_SERVING && s->state != SERVER_FINISHING)
		return HEAP_NEVER;
	if (!notify_wants_status(&s->notify, now_us))
		return notify_status_next(&s->notify);
	TAILQ_FOREACH (p, &s->core.pools, in_core) {
		n_queued += p->queue.n;
		n_done += p->n_finished[FUTURE_DONE];
	}
	notify_status(&s->notify, now_us,
		"%s %s: %u connections, %llu jobs unfinished, %llu of them queued, %llu done",
		s->state == SERVER_SERVING ? "serving" : "finishing", listener_path(s->listener),
		s->conns.n, (unsigned long long)core_unfinished(&s->core),
		(unsigned long long)n_queued, (unsigned long long)n_done);
	return notify_status_next(&s->notify);
}

/* What follows from the events. Returns whether the next turn must not sleep. */
static bool turn(struct server *s)
{
	uint64_t now_us = clock_now_us(), next_us, n_gives;
	bool is_more;

	workers_turn(s->workers, now_us);
	reload_turn(s->reload, now_us);
	conns_turn(&s->conns, now_us);
	next_us = core_turn(&s->core, now_us);
	drains_turn(s);
	n_gives = s->core.accounts.n_gives;
	is_more = conns_flush(&s->conns, now_us);
	/* Connections that closed while they were written to may have cancelled jobs, which freed
	 * workers. */
	is_more |= !TAILQ_EMPTY(&s->conns.closed);
	core_sweep(&s->core);
	conns_sweep(&s->conns, now_us);
	/* What was sent gave room that a job may wait for. */
	is_more |= s->core.is_short && s->core.accounts.n_gives != n_gives;
	is_more |= lobby_turn(s, &next_us);
	if (s->state == SERVER_STARTING && workers_are_settled(s->workers))
		become_ready(s);
	is_more |= s->state >= SERVER_SERVING && reload_is_asked(s->reload);
	if (s->state > SERVER_SERVING)
		stop_turn(s, now_us);
	s->core.id_end = idmark_reserve_more(s->idmark, s->core.next_id);
	next_us = earlier(next_us, conns_next_us(&s->conns));
	next_us = earlier(next_us, notify_watchdog(&s->notify, now_us));
	next_us = earlier(next_us, tell_status(s, now_us));
	deadline_set(&s->deadline, earlier(next_us, s->stop_at_us));
	return is_more;
}

/* Without ONCE it would go on as long as there are events. */
static int wait_for_events(struct server *s, bool is_more)
{
	return is_more ? event_base_loop(s->base, EVLOOP_ONCE | EVLOOP_NONBLOCK)
		       : spin_wait(&s->spin, s->base, core_running(&s->core),
				 s->config->busy_poll_us);
}

int server_run(struct server *s)
{
	bool is_more = turn(s);

	while (s->state != SERVER_STOPPED) {
		if (wait_for_events(s, is_more) < 0) {
			log_err("the event loop failed");
			return EXIT_FAILURE;
		}
		is_more = turn(s);
	}
	log_notice("stopped");
	return s->exit_code;
}
