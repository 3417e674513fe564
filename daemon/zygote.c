/* A zygote's life:
 *
 *	down ──► setup ──► ready ──► leaving ──► gone
 *	  ▲        │         │
 *	  └────────┴─────────┘
 *
 * From down and setup it may go as well. down is a pause: the first start has none, later ones wait
 * longer and longer, until one of them stays ready for a while. A set-up that answers with an error
 * will do so again: the pool has failed. One that just dies is tried SETUPS_MAX times.
 *
 * The fork requests under way when it dies come to nothing; what it may have forked without telling
 * is a stranger, and dealt with before those slots hear of it.
 */
#include "daemon/zygote.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/zygote_reader.h"
#include "daemon/zygote_request.h"

#define SETUPS_MAX	 5
#define LEAVE_US	 (5 * 1000000ull)
#define LONG_LIFE_US	 (10 * 1000000ull)
#define BACKOFF_FIRST_US 100000ull
#define BACKOFF_LAST_US	 (10 * 1000000ull)
#define REASON_BYTES	 512

#define TO(s) (1u << ZYGOTE_##s)

static const uint8_t legal[] = {
	[ZYGOTE_DOWN] = TO(SETUP) | TO(GONE),
	[ZYGOTE_SETUP] = TO(READY) | TO(LEAVING) | TO(DOWN),
	[ZYGOTE_READY] = TO(LEAVING) | TO(DOWN),
	[ZYGOTE_LEAVING] = TO(GONE),
	[ZYGOTE_GONE] = 0,
};
static_assert(ARRAY_SIZE(legal) == _ZYGOTE_STATE_MAX, "a row per state");

void zygote_set_state(struct zygote *z, enum zygote_state to)
{
	assert(legal[z->state] >> to & 1);
	z->state = to;
}

void zygote_set_timer(struct zygote *z, uint64_t within_us)
{
	struct timeval t = {
		.tv_sec = (time_t)(within_us / 1000000),
		.tv_usec = (suseconds_t)(within_us % 1000000),
	};

	if (event_add(z->timer, &t) < 0)
		log_err("pool %s: no memory for a timer", z->pool->name);
}

/* ---- the end of a set-up ---- */

/* No more workers: what is left of the process goes. */
void zygote_fail(struct zygote *z, const char *reason)
{
	if (z->is_prepared)
		log_notice("pool %s cannot be made ready: %s", z->pool->name, reason);
	else
		log_err("pool %s failed: %s", z->pool->name, reason);
	z->has_settled = true;
	if (z->state == ZYGOTE_DOWN) {
		zygote_set_state(z, ZYGOTE_GONE);
	} else {
		zygote_set_state(z, ZYGOTE_LEAVING);
		zygote_set_timer(z, LEAVE_US);
	}
	core_pool_failed(z->pool, reason, clock_now_us());
}

/* A zygote is our own program; one that talks nonsense is killed, and its death is the rest. */
void zygote_break(struct zygote *z, const char *reason)
{
	log_warning("pool %s: zygote %d broke the protocol: %s", z->pool->name, (int)z->process.pid,
		reason);
	snprintf(z->breach, sizeof(z->breach), "it broke the protocol: %s", reason);
	event_del(z->on_packet);
	z->control = fd_close(z->control);
	process_signal(&z->process, SIGKILL);
}

static uint64_t back_off_us(const struct zygote *z)
{
	uint64_t us = BACKOFF_FIRST_US;

	for (unsigned i = 1; i < z->n_deaths && us < BACKOFF_LAST_US; i++)
		us *= 2;
	return us < BACKOFF_LAST_US ? us : BACKOFF_LAST_US;
}

/* A set-up came to nothing; the process, if there was one, is gone. */
static void retry_setup(struct zygote *z, const char *why)
{
	char reason[REASON_BYTES];

	z->n_deaths++;
	if (++z->n_failed < SETUPS_MAX) {
		log_warning("pool %s: start %u of its zygote failed: %s", z->pool->name,
			z->n_failed, why);
		zygote_set_timer(z, back_off_us(z));
		return;
	}
	snprintf(reason, sizeof(reason), "its zygote failed to start %u times: %s", z->n_failed,
		why);
	zygote_fail(z, reason);
}

/* ---- workers ---- */

/* It is tried again every moment: once is enough to say so. */
static void log_shortage(struct zygote *z, int error)
{
	if (!z->is_short && error != -EAGAIN)
		log_warning("pool %s: no worker for now: %s", z->pool->name, strerror(-error));
	z->is_short = true;
}

bool zygote_fork(struct zygote *z, struct slot *s)
{
	cleanup_fd int output = -1;
	struct worker_link *l = NULL;
	uint32_t msgid = z->next_msgid;
	int r;

	if (z->state != ZYGOTE_READY || z->is_dead || z->n_forks == ZYGOTE_FORKS_MAX)
		return false;
	r = worker_link_new(z->links, s, &z->limit, &z->cgroup, &l, &output);
	if (r == 0)
		r = zygote_request_fork(z, msgid, l, output);
	if (r < 0) {
		log_shortage(z, r);
		worker_link_free(l);
		return false;
	}
	l->zygote = z;
	z->is_short = false;
	if (z->n_forks == 0)
		zygote_set_timer(z, z->config->start_timeout_us);
	z->next_msgid++;
	z->forks[z->n_forks++] = (struct zygote_fork){msgid, l};
	s->shell = l;
	return true;
}

/* ---- life ---- */

static void on_packet(evutil_socket_t fd, short what, void *arg)
{
	zygote_reader_run(arg);
}

static void on_death(evutil_socket_t fd, short what, void *arg)
{
	struct zygote *z = arg;

	z->is_dead = true;
}

static void close_process(struct zygote *z)
{
	if (z->on_packet)
		event_free(take_ptr(z->on_packet));
	if (z->on_death)
		event_free(take_ptr(z->on_death));
	z->control = fd_close(z->control);
	output_deinit(&z->output);
}

/* The process runs: watch it. */
static int watch(struct zygote *z)
{
	struct event_base *base = z->links->base;

	z->on_death = event_new(base, z->process.pidfd, EV_READ, on_death, z);
	z->on_packet = event_new(base, z->control, EV_READ | EV_PERSIST, on_packet, z);
	if (!z->on_death || !z->on_packet || event_add(z->on_death, NULL) < 0 ||
		event_add(z->on_packet, NULL) < 0)
		return -ENOMEM;
	return zygote_request_setup(z);
}

static int start(struct zygote *z)
{
	cleanup_fd int output = -1, theirs = -1;
	int fds[2];
	pid_t pid;
	int r;

	r = output_init(&z->output, z->links->base, &z->limit, &output);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	z->control = fds[0];
	theirs = fds[1];
	pid = spawn_worker_program(z->program, z->pool->name, z->config->env, theirs, output);
	if (pid < 0)
		return pid;
	r = process_open(&z->process, z->links->reaper, pid);
	if (r < 0)
		return r;
	z->output.pid = pid;
	z->breach[0] = '\0';
	z->next_msgid = ZYGOTE_SETUP_MSGID + 1;
	return 0;
}

static void start_or_retry(struct zygote *z)
{
	char why[REASON_BYTES];
	int r;

	r = start(z);
	if (r < 0) {
		close_process(z);
		snprintf(why, sizeof(why), "cannot start %s: %s", z->program, strerror(-r));
		retry_setup(z, why);
		return;
	}
	zygote_set_state(z, ZYGOTE_SETUP);
	zygote_set_timer(z, z->config->start_timeout_us);
	r = watch(z);
	if (r < 0) {
		snprintf(z->breach, sizeof(z->breach), "cannot set it up: %s", strerror(-r));
		process_signal(&z->process, SIGKILL);
		/* watched by nobody, perhaps */
		z->is_dead = true;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct zygote *z = arg;

	switch (z->state) {
	case ZYGOTE_DOWN: start_or_retry(z); return;
	case ZYGOTE_SETUP: zygote_fail(z, "its set-up takes too long"); break;
	case ZYGOTE_READY:
		log_warning("pool %s: zygote %d does not fork in time: killed", z->pool->name,
			(int)z->process.pid);
		break;
	default: break;
	}
	process_signal(&z->process, SIGKILL);
}

/* What comes after the end of a process that should have stayed. */
static void come_back(struct zygote *z, const char *why)
{
	bool was_ready = z->state == ZYGOTE_READY;

	zygote_set_state(z, ZYGOTE_DOWN);
	if (!was_ready) {
		retry_setup(z, why);
		return;
	}
	log_warning("pool %s: its zygote died: %s", z->pool->name, why);
	if (clock_now_us() - z->ready_us > LONG_LIFE_US)
		z->n_deaths = 0;
	z->n_deaths++;
	core_pool_starting(z->pool);
	zygote_set_timer(z, back_off_us(z));
}

static void describe_end(struct zygote *z, int status, char *why, size_t size)
{
	int n = 0;

	if (z->breach[0]) {
		snprintf(why, size, "%s", z->breach);
		return;
	}
	if (cgroup_pool_was_oom(&z->cgroup))
		n = snprintf(why, size, "memory_max leaves it too little memory: ");
	output_describe_end(&z->output, status, why + n, size - (size_t)n);
}

bool zygote_bury(struct zygote *z)
{
	char why[REASON_BYTES];
	struct rusage usage;
	int status;

	while (z->on_packet && z->state != ZYGOTE_LEAVING && zygote_reader_run(z))
		;
	output_drain(&z->output);
	if (process_reap(&z->process, &status, &usage) == -EAGAIN)
		return false;
	z->is_dead = false;
	event_del(z->timer);
	while (z->n_forks > 0)
		worker_link_fail(z->forks[--z->n_forks].link);
	describe_end(z, status, why, sizeof(why));
	close_process(z);
	if (z->is_retired && z->state != ZYGOTE_LEAVING)
		zygote_set_state(z, ZYGOTE_LEAVING);
	if (z->state == ZYGOTE_LEAVING)
		zygote_set_state(z, ZYGOTE_GONE);
	else
		come_back(z, why);
	return true;
}

void zygote_retire(struct zygote *z)
{
	z->is_retired = true;
	if (z->n_forks == 0)
		zygote_dismiss(z);
}

void zygote_dismiss(struct zygote *z)
{
	switch (z->state) {
	case ZYGOTE_DOWN:
		event_del(z->timer);
		zygote_set_state(z, ZYGOTE_GONE);
		break;
	case ZYGOTE_SETUP:
		/* A preload that takes long looks at nothing meanwhile, and nobody needs its end.
		 */
		process_signal(&z->process, SIGKILL);
		/* fall through */
	case ZYGOTE_READY:
		event_del(z->on_packet);
		z->control = fd_close(z->control);
		zygote_set_state(z, ZYGOTE_LEAVING);
		zygote_set_timer(z, LEAVE_US);
		break;
	default: break;
	}
	z->has_settled = true;
}

void zygote_weigh(struct zygote *z, uint64_t rss_kib)
{
	uint64_t most_kib = z->config->max_rss_bytes / 1024;
	char reason[128];

	if (!most_kib || rss_kib <= most_kib || z->pool->is_proven || z->is_retired)
		return;
	snprintf(reason, sizeof(reason),
		"max_rss of %llu KiB is below the size of a fresh worker, %llu KiB",
		(unsigned long long)most_kib, (unsigned long long)rss_kib);
	log_err("pool %s failed: %s", z->pool->name, reason);
	zygote_dismiss(z);
	core_pool_failed(z->pool, reason, clock_now_us());
}

void zygote_tell_health(struct zygote *z)
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

int zygote_init(struct zygote *z, struct links *links, const struct config_pool *config,
	const char *program, const struct cgroup_pool *cgroup, struct pool *p)
{
	*z = (struct zygote){
		.config = config,
		.program = program,
		.links = links,
		.pool = p,
		.process.pidfd = -1,
		.control = -1,
		.cgroup = *cgroup,
		.output.fd = -1,
		.limit = {.level = LOG_INFO, .what = "output of pool", .of = p->name},
	};
	z->timer = evtimer_new(links->base, on_timer, z);
	if (!z->timer)
		return -ENOMEM;
	zygote_set_timer(z, 0);
	return 0;
}

void zygote_deinit(struct zygote *z)
{
	close_process(z);
	if (z->timer)
		event_free(take_ptr(z->timer));
	cgroup_pool_deinit(&z->cgroup);
	z->own_config = config_pool_free(z->own_config);
}
