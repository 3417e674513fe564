/* The owner of everything between the core and the worker processes:
 *
 *	struct pool    ── shell ──► zygote ── fork requests ──┐
 *	struct slot    ── shell ──► worker link ◄─────────────┘
 *
 * Callbacks of events note that a process is dead and no more. What follows stands here, once per
 * turn of the loop, so nothing is freed inside its own callback, and one look for strangers serves
 * all who died in the same turn: zygotes first, as they may still report workers; then, while no
 * fork request is pending, the strangers; then the workers. While strangers are dealt with, no
 * worker is forked. That has an end: after SETTLE_US the death path goes on, and what could not be
 * killed is let be.
 */
#include "daemon/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "daemon/answer.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/zygote.h"
#include "daemon/zygotes.h"

#define SETTLE_US (2 * 1000000ull)
/* Strangers tell of their death by SIGCHLD; those who do not are looked at again after this. */
#define LOOK_AGAIN_US 20000

struct workers {
	struct core *core;
	struct reaper reaper;
	struct links links;
	struct zygotes zygotes;
	bool want_settle;	  /* somebody died */
	bool owes_settle;	  /* it was cut short by fork requests */
	uint64_t settle_since_us; /* 0: not under way */
	struct event *look_again;
};

/* ---- the death path ---- */

static void bury_links(struct workers *w)
{
	struct worker_link *l, *next;

	for (l = TAILQ_FIRST(&w->links.dead); l; l = next) {
		next = TAILQ_NEXT(l, in_list);
		if (!worker_link_bury(l))
			log_debug("process %d is dead, but not to be reaped yet", (int)l->pid);
	}
}

/* True: no stranger is left, or enough was tried. */
static bool settle(struct workers *w, uint64_t now_us)
{
	unsigned n;

	if (!w->settle_since_us)
		w->settle_since_us = now_us;
	if (zygotes_forks(&w->zygotes) == 0 && reaper_settle(&w->reaper))
		return true;
	if (now_us - w->settle_since_us < SETTLE_US)
		return false;
	w->owes_settle = zygotes_forks(&w->zygotes) > 0;
	n = w->owes_settle ? 0 : reaper_give_up(&w->reaper);
	if (n > 0)
		log_warning("%u processes that workers left behind cannot be killed", n);
	return true;
}

static void come_again(struct workers *w)
{
	struct timeval t = {.tv_usec = LOOK_AGAIN_US};

	if (event_add(w->look_again, &t) < 0)
		log_err("no memory for a timer");
}

void workers_turn(struct workers *w, uint64_t now_us)
{
	w->want_settle |= zygotes_turn(&w->zygotes);
	w->want_settle |= !TAILQ_EMPTY(&w->links.dead);
	if (w->owes_settle && zygotes_forks(&w->zygotes) == 0) {
		w->owes_settle = false;
		w->want_settle = true;
	}
	if (w->want_settle) {
		if (!settle(w, now_us)) {
			come_again(w);
			return;
		}
		w->want_settle = false;
		w->settle_since_us = 0;
		bury_links(w);
		if (!TAILQ_EMPTY(&w->links.dead))
			come_again(w);
	}
	if (w->reaper.want_sweep && zygotes_forks(&w->zygotes) == 0)
		reaper_sweep(&w->reaper);
}

/* ---- questions ---- */

struct zygotes *workers_zygotes(struct workers *w)
{
	return &w->zygotes;
}

struct links *workers_links(struct workers *w)
{
	return &w->links;
}

bool workers_may_fork(const struct workers *w)
{
	return !w->want_settle;
}

pid_t workers_pid(const struct slot *s)
{
	const struct worker_link *l = s->shell;

	return l ? l->pid : 0;
}

const struct config_pool *workers_config(const struct pool *p)
{
	return ((const struct zygote *)p->shell)->config;
}

bool workers_are_settled(const struct workers *w)
{
	return zygotes_are_settled(&w->zygotes);
}

unsigned workers_left(const struct workers *w)
{
	return w->links.n + w->want_settle + zygotes_left(&w->zygotes);
}

/* ---- life ---- */

static void on_look_again(evutil_socket_t fd, short what, void *arg)
{
	/* the turn of the loop that this makes is all that is wanted */
}

int workers_new(struct event_base *base, const struct config *config, struct core *core,
	struct workers **ret)
{
	struct workers *w;
	int r;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->core = core;
	core->shell = w;
	links_init(&w->links, base, core, &w->reaper);
	r = reaper_init(&w->reaper, base);
	if (r < 0) {
		free(w);
		return r;
	}
	zygotes_init(&w->zygotes, &w->links, core, config);
	w->look_again = evtimer_new(base, on_look_again, w);
	r = w->look_again ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < config->n_pools; i++)
		r = zygotes_add(&w->zygotes, config, &config->pools[i]);
	if (r < 0) {
		workers_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void workers_dismiss(struct workers *w)
{
	zygotes_dismiss(&w->zygotes);
}

/* A killed process, waited for as long as the death path waits. */
static void end_process(struct process *p)
{
	struct pollfd death = {.fd = p->pidfd, .events = POLLIN};
	struct rusage usage;
	int status;

	if (!p->pid)
		return;
	(void)!poll(&death, 1, (int)(SETTLE_US / 1000));
	if (process_reap(p, &status, &usage) == -EAGAIN)
		log_warning("process %d does not die", (int)p->pid);
}

static void kill_all(struct workers *w)
{
	struct worker_link *l;
	struct zygote *z;

	TAILQ_FOREACH (z, &w->zygotes.all, in_all)
		process_signal(&z->process, SIGKILL);
	TAILQ_FOREACH (l, &w->links.all, in_list)
		process_signal(&l->process, SIGKILL);
	TAILQ_FOREACH (z, &w->zygotes.all, in_all)
		end_process(&z->process);
	TAILQ_FOREACH (l, &w->links.all, in_list)
		end_process(&l->process);
	TAILQ_FOREACH (l, &w->links.dead, in_list)
		end_process(&l->process);
}

static void settle_all(struct workers *w)
{
	uint64_t end_us = clock_now_us() + SETTLE_US;

	while (!reaper_settle(&w->reaper) && clock_now_us() < end_us)
		poll(NULL, 0, 1);
}

struct workers *workers_free(struct workers *w)
{
	if (!w)
		return NULL;
	kill_all(w);
	settle_all(w);
	links_deinit(&w->links);
	zygotes_deinit(&w->zygotes);
	reaper_deinit(&w->reaper);
	if (w->look_again)
		event_free(w->look_again);
	w->core->shell = NULL;
	free(w);
	return NULL;
}
