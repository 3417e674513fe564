/* The worker is a subreaper: when a process of the command's tree dies, its children become the
 * worker's. So killing and reaping one's own children again and again takes the whole tree,
 * whatever its members did to their sessions and groups.
 *
 * What is in the command's control group is killed first, and all at once, if there is one: also
 * those that this worker may not kill, and those that fork faster than it kills.
 *
 * A child's pid is its own until it is reaped, so a kill never hits a stranger. */
#include "daemon/worker/exec_reap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "daemon/worker/cgroup.h"
#include "proto/base.h"

#define LIST_BYTES 4096u
/* The list may miss a child while another one ends; that often in a row it does not. */
#define EMPTY_LISTS 100u

/* Reaps what is dead. Is there a child left? */
static bool has_children(void)
{
	siginfo_t info;

	do {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
			return errno == EINTR;
	} while (info.si_pid != 0);
	return true;
}

/* The first pids of the list of children, as text; empty if there is no such list. */
static void read_list(char *list, size_t size)
{
	cleanup_fd int fd = -1;
	char path[64];
	ssize_t n = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, list, size - 1);
	list[n > 0 ? n : 0] = '\0';
}

/* A child that leads a group takes it along: processes below it need not become children first. */
static bool kill_child(pid_t pid)
{
	if (getpgid(pid) == pid)
		kill(-pid, SIGKILL);
	return kill(pid, SIGKILL) == 0;
}

/* How many were killed; *ret_n: how many there were. A pid that the buffer's end cut is left for
 * the next turn. */
static unsigned kill_list(char *list, unsigned *ret_n)
{
	unsigned n_killed = 0;
	char *end;

	*ret_n = 0;
	for (;; list = end) {
		long pid = strtol(list, &end, 10);

		if (end == list || *end != ' ')
			return n_killed;
		(*ret_n)++;
		n_killed += kill_child((pid_t)pid);
	}
}

void exec_reap(void)
{
	unsigned n_empty = 0, n, n_killed;
	char list[LIST_BYTES];
	bool is_group_killed = false;
	siginfo_t info;

	while (has_children()) {
		is_group_killed |= cgroup_kill_job();
		read_list(list, sizeof(list));
		n_killed = kill_list(list, &n);
		if (is_group_killed && n > 0)
			n_killed = n; /* those of other users, too */
		if (n_killed > 0)
			waitid(P_ALL, 0, &info, WEXITED);
		else if (n > 0 || ++n_empty == EMPTY_LISTS)
			break;
	}
	if (is_group_killed)
		cgroup_renew_job();
}
