/* Orphans of a worker's tree fall to the daemon, which is a child subreaper. Nobody asked for them,
 * so whatever child is not known is a stranger: it is killed when a worker dies, before that
 * worker's jobs get their final states, and reaped.
 *
 * The list of children is the kernel's own (/proc/thread-self/children: this thread is the
 * process's first, to which orphans fall, and the only one that starts others). It may miss one
 * while others die, so strangers count as gone only when a look finds none. A pid of a child is
 * safe to use until that child is reaped, and nobody else reaps.
 */
#include "daemon/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/log.h"
#include "proto/buf.h"

#define CHILDREN_BYTES (4u * 1024u * 1024u)
#define READ_BYTES     4096u
/* Generations of orphans that one call follows. */
#define ROUNDS_MAX 64

/* ---- known ones ---- */

static struct processes *bucket(struct reaper *r, pid_t pid)
{
	return &r->known[(unsigned)pid % REAPER_BUCKETS];
}

static bool is_known(struct reaper *r, pid_t pid)
{
	struct process *p;

	LIST_FOREACH (p, bucket(r, pid), in_bucket)
		if (p->pid == pid)
			return true;
	return false;
}

int process_open(struct process *p, struct reaper *r, pid_t pid)
{
	cleanup_fd int pidfd = -1;
	siginfo_t si = {};

	if (is_known(r, pid))
		return -EEXIST;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return errno == ESRCH || errno == EINVAL ? -ECHILD : -errno;
	if (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -errno;
	p->pid = pid;
	p->pidfd = take_fd(&pidfd);
	LIST_INSERT_HEAD(bucket(r, pid), p, in_bucket);
	return 0;
}

void process_signal(const struct process *p, int signo)
{
	if (p->pid && pidfd_send_signal(p->pidfd, signo, NULL, 0) < 0 && errno != ESRCH)
		log_warning("cannot send signal %d to process %d: %m", signo, (int)p->pid);
}

int process_queue(const struct process *p, int signo, uintptr_t value)
{
	siginfo_t info = {.si_signo = signo, .si_code = SI_QUEUE};

	if (!p->pid)
		return -ESRCH;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)value; /* a number */
	return pidfd_send_signal(p->pidfd, signo, &info, 0) < 0 ? -errno : 0;
}

int process_reap(struct process *p, int *ret_status, struct rusage *ret_usage)
{
	pid_t pid;

	pid = wait4(p->pid, ret_status, WNOHANG, ret_usage);
	if (pid == 0)
		return -EAGAIN;
	if (pid < 0) {
		*ret_status = 0;
		*ret_usage = (struct rusage){};
	}
	LIST_REMOVE(p, in_bucket);
	p->pidfd = fd_close(p->pidfd);
	p->pid = 0;
	return 0;
}

/* ---- strangers ---- */

static bool is_given_up(const struct reaper *r, pid_t pid)
{
	for (unsigned i = 0; i < r->n_given_up; i++)
		if (r->given_up[i] == pid)
			return true;
	return false;
}

static bool reap_stranger(struct reaper *r, pid_t pid)
{
	if (waitpid(pid, NULL, WNOHANG) == 0)
		return false;
	for (unsigned i = 0; i < r->n_given_up; i++)
		if (r->given_up[i] == pid)
			r->given_up[i--] = r->given_up[--r->n_given_up];
	return true;
}

static void kill_stranger(pid_t pid)
{
	/* a group that it leads goes at once: one that forks cannot run away */
	if (getpgid(pid) == pid)
		kill(-pid, SIGKILL);
	if (kill(pid, SIGKILL) < 0 && errno != ESRCH)
		log_warning("cannot kill process %d, left behind by a worker: %m", (int)pid);
}

void reaper_sweep(struct reaper *r)
{
	siginfo_t si = {};

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid) {
		if (is_known(r, si.si_pid))
			return; /* in front of the others until its own death path */
		reap_stranger(r, si.si_pid);
		si.si_pid = 0;
	}
	r->want_sweep = false;
}

static int read_children(struct buf *b)
{
	cleanup_fd int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	for (;;) {
		size_t room;
		uint8_t *to;

		r = buf_reserve(b, READ_BYTES);
		if (r < 0)
			return r;
		to = buf_room(b, &room);
		n = read(fd, to, room - 1);
		if (n <= 0)
			break;
		buf_commit(b, (size_t)n);
	}
	if (n < 0)
		return -errno;
	*buf_room(b, &(size_t){0}) = '\0';
	return 0;
}

/* One look at all children. Returns how many strangers there were; *ret_alive of them still are. */
static int settle_round(struct reaper *r, unsigned *ret_alive)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(CHILDREN_BYTES);
	unsigned n_alive = 0;
	int n_seen = 0, e;
	char *at, *end;

	e = read_children(&b);
	if (e < 0)
		return e;
	for (at = (char *)buf_head(&b);; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		if (is_known(r, pid))
			continue;
		if (is_given_up(r, pid)) {
			reap_stranger(r, pid);
			continue;
		}
		n_seen++;
		if (reap_stranger(r, pid))
			continue;
		kill_stranger(pid);
		if (!reap_stranger(r, pid))
			n_alive++;
	}
	*ret_alive = n_alive;
	return n_seen;
}

bool reaper_settle(struct reaper *r)
{
	unsigned n_alive = 0;
	int n_seen = 1;

	for (int round = 0; round < ROUNDS_MAX && n_seen > 0 && n_alive == 0; round++)
		n_seen = settle_round(r, &n_alive);
	if (n_seen < 0 && !r->is_blind) {
		log_warning(
			"cannot list child processes (%s): what workers leave behind is not killed",
			strerror(-n_seen));
		r->is_blind = true;
	}
	return n_seen <= 0;
}

unsigned reaper_give_up(struct reaper *r)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(CHILDREN_BYTES);
	unsigned n = 0;
	char *at, *end;

	if (read_children(&b) < 0)
		return 0;
	for (at = (char *)buf_head(&b);; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		if (is_known(r, pid) || is_given_up(r, pid))
			continue;
		n++;
		if (r->n_given_up < REAPER_GIVEN_UP)
			r->given_up[r->n_given_up++] = pid;
	}
	return n;
}

/* ---- life ---- */

static void on_sigchld(evutil_socket_t signo, short what, void *arg)
{
	struct reaper *r = arg;

	r->want_sweep = true;
}

int reaper_init(struct reaper *r, struct event_base *base)
{
	*r = (struct reaper){};
	for (size_t i = 0; i < REAPER_BUCKETS; i++)
		LIST_INIT(&r->known[i]);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	/* children that this process was born with (of a shell that became it) are nobody's orphans
	 */
	reaper_give_up(r);
	r->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, r);
	if (!r->sigchld || event_add(r->sigchld, NULL) < 0) {
		reaper_deinit(r);
		return -ENOMEM;
	}
	return 0;
}

void reaper_deinit(struct reaper *r)
{
	if (r->sigchld)
		event_free(r->sigchld);
	r->sigchld = NULL;
}
