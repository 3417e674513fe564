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

#define SETTLE_US (2 * 1000000ull)
/* Strangers tell of their death by SIGCHLD; those who do not are looked at again after this. */
#define LOOK_AGAIN_US 20000

struct workers {
	const struct config *config;
	struct core *core;
	struct reaper reaper;
	struct cgroups cgroups;
	struct links links;
	struct zygote *zygotes;
	size_t n_zygotes;
	bool want_settle;	  /* somebody died */
	bool owes_settle;	  /* it was cut short by fork requests */
	uint64_t settle_since_us; /* 0: not under way */
	struct event *look_again;
};

static struct zygote *zygote_of(const struct pool *p)
{
	return p->shell;
}

/* ---- the death path ---- */

static unsigned forks_pending(const struct workers *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->n_zygotes; i++)
		n += w->zygotes[i].n_forks;
	return n;
}

static void bury_zygotes(struct workers *w)
{
	for (size_t i = 0; i < w->n_zygotes; i++)
		if (w->zygotes[i].is_dead && zygote_bury(&w->zygotes[i]))
			w->want_settle = true;
}

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
	if (forks_pending(w) == 0 && reaper_settle(&w->reaper))
		return true;
	if (now_us - w->settle_since_us < SETTLE_US)
		return false;
	w->owes_settle = forks_pending(w) > 0;
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

static void tell_health(struct zygote *z)
{
	const struct pool *p = z->pool;

	if (pool_is_degraded(p) == z->was_degraded)
		return;
	z->was_degraded = !z->was_degraded;
	if (z->was_degraded)
		log_warning("pool %s is degraded: %s", p->name, p->reason ? p->reason : "");
	else if (p->state == POOL_READY)
		log_notice("pool %s is well again", p->name);
}

void workers_turn(struct workers *w, uint64_t now_us)
{
	for (size_t i = 0; i < w->n_zygotes; i++)
		tell_health(&w->zygotes[i]);
	bury_zygotes(w);
	w->want_settle |= !TAILQ_EMPTY(&w->links.dead);
	if (w->owes_settle && forks_pending(w) == 0) {
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
	if (w->reaper.want_sweep && forks_pending(w) == 0)
		reaper_sweep(&w->reaper);
}

/* ---- questions ---- */

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
	return zygote_of(p)->config;
}

bool workers_are_settled(const struct workers *w)
{
	for (size_t i = 0; i < w->n_zygotes; i++)
		if (!w->zygotes[i].has_settled)
			return false;
	return true;
}

unsigned workers_left(const struct workers *w)
{
	unsigned n = w->links.n + w->want_settle;

	for (size_t i = 0; i < w->n_zygotes; i++)
		n += w->zygotes[i].process.pid != 0;
	return n;
}

/* ---- life ---- */

static void on_look_again(evutil_socket_t fd, short what, void *arg)
{
	/* the turn of the loop that this makes is all that is wanted */
}

static bool wants_memory(const struct config *config)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (config->pools[i].memory_max_bytes)
			return true;
	return false;
}

static int add_pool(struct workers *w, const struct config_pool *c)
{
	const struct pool_config config = {
		.name = c->name,
		.n_workers = c->workers,
		.sizing = c->sizing,
		.min_spare = c->min_spare,
		.max_spare = c->max_spare,
		.idle_us = c->idle_us,
		.spawns_per_s = c->spawn_rate,
		.max_jobs = c->max_jobs,
		.max_age_us = c->max_age_us,
		.max_rss_kib = c->max_rss_bytes / 1024,
		.ahead_max = c->ahead,
		.ageing_us = c->ageing_us,
		.max_result_bytes = answer_reserve_bytes(c->max_result_bytes),
		.max_result_fds = ANSWER_RESERVE_FDS,
		.grace_us = c->grace_us,
		.timeout_us = c->timeout_us,
		.poison = c->poison,
	};
	struct zygote *z = &w->zygotes[w->n_zygotes];
	struct cgroup_pool cgroup;
	struct pool *p;
	int r;

	r = core_add_pool(w->core, &config, z, &p);
	if (r < 0)
		return r;
	w->n_zygotes++;
	cgroups_add_pool(&w->cgroups, c->name, c->memory_max_bytes, c->user, &cgroup);
	return zygote_init(z, &w->links, c, w->config->worker, &cgroup, p);
}

int workers_new(struct event_base *base, const struct config *config, struct core *core,
	struct workers **ret)
{
	struct workers *w;
	int r;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->config = config;
	w->core = core;
	core->shell = w;
	links_init(&w->links, base, core, &w->reaper);
	r = reaper_init(&w->reaper, base);
	if (r < 0) {
		free(w);
		return r;
	}
	cgroups_init(&w->cgroups, config->cgroup, wants_memory(config));
	w->zygotes = calloc(config->n_pools, sizeof(*w->zygotes));
	w->look_again = evtimer_new(base, on_look_again, w);
	r = w->zygotes && w->look_again ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < config->n_pools; i++)
		r = add_pool(w, &config->pools[i]);
	if (r < 0) {
		workers_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void workers_dismiss(struct workers *w)
{
	for (size_t i = 0; i < w->n_zygotes; i++)
		zygote_dismiss(&w->zygotes[i]);
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

	for (size_t i = 0; i < w->n_zygotes; i++)
		process_signal(&w->zygotes[i].process, SIGKILL);
	TAILQ_FOREACH (l, &w->links.all, in_list)
		process_signal(&l->process, SIGKILL);
	for (size_t i = 0; i < w->n_zygotes; i++)
		end_process(&w->zygotes[i].process);
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
	for (size_t i = 0; i < w->n_zygotes; i++)
		zygote_deinit(&w->zygotes[i]);
	cgroups_deinit(&w->cgroups);
	reaper_deinit(&w->reaper);
	if (w->look_again)
		event_free(w->look_again);
	free(w->zygotes);
	free(w);
	return NULL;
}
