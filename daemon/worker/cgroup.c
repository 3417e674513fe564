/* There are kernels (6.18 is one) that kill what is born into a group with CLONE_INTO_CGROUP if
 * that group was killed more often than the group of the parent. So each is killed once. */
#include "daemon/worker/cgroup.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/base.h"

static int job_dir = -1;
static int job_kill = -1;

pid_t cgroup_fork_above(int job)
{
	cleanup_fd int dir = openat(job, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)dir,
	};

	return dir < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

bool cgroup_join(int procs)
{
	bool is_in = write(procs, "0", 1) == 1;

	fd_close(procs);
	return is_in;
}

void cgroup_set_job(int dir)
{
	job_kill = openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	job_dir = job_kill < 0 ? fd_close(dir) : dir;
}

int cgroup_job(void)
{
	return job_dir;
}

bool cgroup_kill_job(void)
{
	return job_kill >= 0 && write(job_kill, "1", 1) == 1;
}

void cgroup_renew_job(void)
{
	cleanup_fd int above = openat(job_dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir;

	job_kill = fd_close(job_kill);
	job_dir = fd_close(job_dir);
	if (above < 0 || unlinkat(above, "job", AT_REMOVEDIR) < 0 ||
		mkdirat(above, "job", 0755) < 0)
		return;
	dir = openat(above, "job", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		cgroup_set_job(dir);
}
