/* A worker's life:
 *
 *	forking ──► starting ──► open ──► closed ──► dead
 *	                 └──────────┴──► broken ──────┘
 *
 * and from every state to dead, since a worker may die whenever it likes. Its death is told by its
 * pidfd and by nothing else: the daemon holds a duplicate of the worker's end, so there is no end
 * of file. The duplicate shares its flags with the worker, so every call says MSG_DONTWAIT for
 * itself.
 *
 * Being dead is noticed in a callback; the rest of the death path (worker_link_bury) waits until
 * the orphans of its tree are gone.
 */
#include "daemon/worker_link.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/extra.h"
#include "daemon/lending.h"
#include "daemon/link_reader.h"
#include "daemon/log.h"
#include "daemon/run_packet.h"

#define TO(s) (1u << LINK_##s)

static const uint8_t legal[] = {
	[LINK_FORKING] = TO(STARTING) | TO(DEAD),
	[LINK_STARTING] = TO(OPEN) | TO(BROKEN) | TO(CLOSED) | TO(DEAD),
	[LINK_OPEN] = TO(BROKEN) | TO(CLOSED) | TO(DEAD),
	[LINK_BROKEN] = TO(CLOSED) | TO(DEAD),
	[LINK_CLOSED] = TO(DEAD),
	[LINK_DEAD] = 0,
};
static_assert(ARRAY_SIZE(legal) == _LINK_STATE_MAX, "a row per state");

void worker_link_set_state(struct worker_link *l, enum link_state to)
{
	assert(legal[l->state] >> to & 1);
	l->state = to;
}

/* ---- what all share ---- */

int links_init(struct links *all, struct event_base *base, struct core *core, struct reaper *reaper)
{
	*all = (struct links){.base = base, .core = core, .reaper = reaper};
	TAILQ_INIT(&all->all);
	TAILQ_INIT(&all->dead);
	buf_init(&all->send, PROTO_PACKET_BYTES);
	return 0;
}

void links_deinit(struct links *all)
{
	struct worker_link *l;

	while ((l = TAILQ_FIRST(&all->all)))
		worker_link_free(l);
	while ((l = TAILQ_FIRST(&all->dead)))
		worker_link_free(l);
	buf_deinit(&all->send);
	free(take_ptr(all->spare));
}

/* ---- life ---- */

static void on_packet(evutil_socket_t fd, short what, void *arg)
{
	link_reader_run(arg);
}

static void die(struct worker_link *l)
{
	struct links *all = l->links;

	if (l->on_packet)
		event_del(l->on_packet);
	if (l->on_late)
		event_del(l->on_late);
	worker_link_set_state(l, LINK_DEAD);
	cgroup_kill(&l->cgroup);
	TAILQ_REMOVE(&all->all, l, in_list);
	TAILQ_INSERT_TAIL(&all->dead, l, in_list);
}

static void on_death(evutil_socket_t fd, short what, void *arg)
{
	die(arg);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct worker_link *l = arg;

	log_warning("pool %s: worker %d is not ready in time: killed", l->slot->pool->name,
		(int)l->pid);
	worker_link_kill(l);
}

int worker_link_new(struct links *all, struct slot *s, struct log_limit *limit,
	const struct cgroup_pool *cgroup, struct worker_link **ret, int *ret_output)
{
	struct worker_link *l;
	int fds[2], r;

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->links = all;
	l->number = all->n_made++;
	l->slot = s;
	l->fd = l->twin = l->process.pidfd = l->output.fd = -1;
	cgroup_init(&l->cgroup, cgroup);
	TAILQ_INSERT_TAIL(&all->all, l, in_list);
	all->n++;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		r = -errno;
		worker_link_free(l);
		return r;
	}
	l->fd = fds[0];
	l->twin = fds[1];
	r = output_init(&l->output, all->base, limit, ret_output);
	if (r < 0) {
		worker_link_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

int worker_link_start(struct worker_link *l, pid_t pid, uint64_t within_us)
{
	struct event_base *base = l->links->base;
	struct timeval within = {
		.tv_sec = (time_t)(within_us / 1000000),
		.tv_usec = (suseconds_t)(within_us % 1000000),
	};
	int r;

	r = process_open(&l->process, l->links->reaper, pid);
	if (r < 0)
		return r;
	l->pid = l->output.pid = pid;
	worker_link_set_state(l, LINK_STARTING);
	l->on_death = event_new(base, l->process.pidfd, EV_READ, on_death, l);
	l->on_packet = event_new(base, l->fd, EV_READ | EV_PERSIST, on_packet, l);
	l->on_late = evtimer_new(base, on_late, l);
	if (!l->on_death || !l->on_packet || !l->on_late || event_add(l->on_death, NULL) < 0 ||
		event_add(l->on_packet, NULL) < 0 || event_add(l->on_late, &within) < 0) {
		/* seen by nobody: the burial finds it dead */
		process_signal(&l->process, SIGKILL);
		die(l);
		return 0;
	}
	if (l->want_kill)
		worker_link_kill(l);
	return 0;
}

void worker_link_fail(struct worker_link *l)
{
	die(l);
}

struct worker_link *worker_link_free(struct worker_link *l)
{
	struct event *const events[] = {
		l ? l->on_packet : NULL,
		l ? l->on_death : NULL,
		l ? l->on_late : NULL,
	};

	if (!l)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
	TAILQ_REMOVE(l->state == LINK_DEAD ? &l->links->dead : &l->links->all, l, in_list);
	l->links->n--;
	output_deinit(&l->output);
	cgroup_deinit(&l->cgroup);
	free(l->in.packets);
	fd_close(l->fd);
	fd_close(l->twin);
	free(l);
	return NULL;
}

static void log_end(const struct worker_link *l)
{
	const char *pool = l->slot->pool->name;
	const struct future *f = slot_first(l->slot);
	char job[32] = "";

	if (f)
		snprintf(job, sizeof(job), ", job %llu", (unsigned long long)f->id);
	if (l->was_killed || (WIFEXITED(l->status) && WEXITSTATUS(l->status) == 0))
		log_debug("pool %s: worker %d is gone", pool, (int)l->pid);
	else if (WIFSIGNALED(l->status))
		log_warning("pool %s: worker %d died of signal %d%s", pool, (int)l->pid,
			WTERMSIG(l->status), job);
	else
		log_warning("pool %s: worker %d ended with exit code %d%s", pool, (int)l->pid,
			WEXITSTATUS(l->status), job);
}

/* For everybody to see: what it wrote in a job is its owner's. */
static void describe_end(const struct worker_link *l, char *text, size_t size)
{
	int n;

	if (!l->pid) {
		snprintf(text, size, "its zygote cannot fork");
		return;
	}
	if (l->has_run) {
		snprintf(text, size, "a worker died in its first job: %s %d",
			WIFSIGNALED(l->status) ? "signal" : "exit code",
			WIFSIGNALED(l->status) ? WTERMSIG(l->status) : WEXITSTATUS(l->status));
		return;
	}
	n = snprintf(text, size, "a worker died at its start: ");
	output_describe_end(&l->output, l->status, text + n, size - (size_t)n);
}

bool worker_link_bury(struct worker_link *l)
{
	char how[512];
	struct worker_end end = {.how = how};

	link_reader_drain(l);
	worker_link_take_back(l);
	output_drain(&l->output);
	if (l->process.pid && process_reap(&l->process, &l->status, &l->usage) == -EAGAIN)
		return false;
	l->was_oom = cgroup_was_oom(&l->cgroup);
	if (l->pid)
		log_end(l);
	describe_end(l, how, sizeof(how));
	end.was_killed = l->pid && !l->was_killed && WIFSIGNALED(l->status) &&
			 WTERMSIG(l->status) == SIGKILL;
	core_worker_died(l->slot, &end, clock_now_us());
	l->slot->shell = NULL;
	worker_link_free(l);
	return true;
}

/* ---- ending it ---- */

void worker_link_break(struct worker_link *l, const char *reason)
{
	if (l->is_broken)
		return;
	log_warning("pool %s: worker %d broke the protocol: %s", l->slot->pool->name, (int)l->pid,
		reason);
	l->is_broken = true;
	if (l->state == LINK_DEAD)
		return;
	event_del(l->on_packet);
	event_del(l->on_late);
	worker_link_set_state(l, LINK_BROKEN);
	worker_link_kill(l);
}

void worker_link_kill(struct worker_link *l)
{
	l->want_kill = l->state == LINK_FORKING;
	l->was_killed = true;
	process_signal(&l->process, SIGKILL);
	cgroup_kill(&l->cgroup);
}

void worker_link_close(struct worker_link *l)
{
	if (l->state == LINK_DEAD || l->state == LINK_CLOSED)
		return;
	event_del(l->on_packet);
	event_del(l->on_late);
	l->fd = fd_close(l->fd);
	l->twin = fd_close(l->twin);
	worker_link_set_state(l, LINK_CLOSED);
}

void worker_link_ring(struct worker_link *l, const struct future *f)
{
	/* its inbox was taken back just now, so there is room; without the packet the bell alone
	 * must do */
	if (l->state == LINK_OPEN)
		(void)!cancel_packet_send(l->fd, &l->links->send, f->id);
	process_signal(&l->process, SIGTERM);
}

/* What the signal is for travels with it, so a worker that is through with that job by then ignores
 * it. */
int worker_link_signal(struct worker_link *l, const struct future *f, int signo)
{
	if (l->state != LINK_OPEN)
		return -ESRCH;
	return process_queue(&l->process, PROTO_PASS_SIGNO, PROTO_PASS_VALUE(f->id, signo));
}

/* ---- handing over, taking back ---- */

/* Output of a worker that ran jobs of several uids is shown to none of them. */
static void remember_uid(struct worker_link *l, const struct future *f)
{
	uint32_t uid = future_uid(f);

	l->is_shared |= l->has_run && l->uid != uid;
	l->has_run = true;
	l->uid = uid;
}

int worker_link_hand_over(
	struct worker_link *l, struct future *const *jobs, unsigned n, unsigned *ret_n)
{
	int r;

	if (l->state != LINK_OPEN)
		return CORE_E_LATER;
	r = run_packets_send(l->fd, &l->links->send, jobs, n, ret_n);
	switch (r) {
	case 0: break;
	case RUN_PACKET_E_LARGE: return CORE_E_TOO_LARGE;
	case -EAGAIN:
	case -ENOBUFS:
	case -ENOMEM:
	case -ETOOMANYREFS:
	case -EMFILE:
	case -ENFILE:
	case -EINTR: return CORE_E_LATER;
	default: worker_link_break(l, strerror(-r)); return r;
	}
	for (unsigned i = 0; i < *ret_n; i++) {
		remember_uid(l, jobs[i]);
		lending_note(l, jobs[i]);
		if (future_extra(jobs[i]))
			future_extra(jobs[i])->worker_pid = (int32_t)l->pid;
	}
	return 0;
}

/* The job that it should have been working on lay in its inbox all the while. */
static bool is_deaf(const struct worker_link *l, uint32_t msgid)
{
	const struct future *f = slot_first(l->slot);

	return f && f->run->msgid == msgid && slot_is_deaf(l->slot, clock_now_us());
}

bool worker_link_inbox_is_empty(const struct worker_link *l)
{
	int unread;

	return l->twin >= 0 && ioctl(l->twin, SIOCINQ, &unread) == 0 && unread == 0;
}

/* A receive can wait while the worker's own receive copies into a page that faults; the number of
 * unread bytes can be asked for without waiting. Only the first bytes of a packet are wanted;
 * without room for its fds the kernel closes them. */
void worker_link_take_back(struct worker_link *l)
{
	uint8_t head[RUN_PACKET_HEAD_BYTES];
	struct lending_back back;
	bool was_deaf = false;
	uint32_t msgid;
	int unread;

	back.n = 0;
	while (l->twin >= 0 && ioctl(l->twin, SIOCINQ, &unread) == 0 && unread > 0) {
		ssize_t n = recv(l->twin, head, sizeof(head), MSG_DONTWAIT);

		if (n <= 0)
			break;
		if (!run_packet_msgid(head, (size_t)n, &msgid)) {
			lending_took_back(&back, head, (size_t)n);
			continue;
		}
		was_deaf |= is_deaf(l, msgid);
		if (core_taken_back(l->slot, msgid) != 0)
			worker_link_break(l, "it answered what it had not received");
	}
	if (was_deaf && l->state == LINK_OPEN)
		worker_link_break(l, "it does not receive");
	lending_tell_again(l, &back);
}
