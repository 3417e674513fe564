/* posix_spawn() and not fork(): the daemon may be large, and its page tables need not be copied for
 * an exec. A session of its own keeps the terminal's signals from workers when poold runs in the
 * foreground.
 */
#include "daemon/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>

#include "daemon/log.h"

#define CONTROL_FD 3

static struct rlimit nofile;

void spawn_remember_limits(void)
{
	if (getrlimit(RLIMIT_NOFILE, &nofile) < 0)
		nofile.rlim_max = 0;
}

static void set_limits(const struct rlimit *to)
{
	if (to->rlim_max && setrlimit(RLIMIT_NOFILE, to) < 0)
		log_warning("cannot set the limit of open files: %m");
}

/* The child inherits its limits. Set from outside, they would change under a program that has
 * already looked at them. Open fds above a limit stay open. */
static int spawn_with_limits(pid_t *ret_pid, const char *path,
	const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
	char *const *argv, char *const *env)
{
	struct rlimit own;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &own) < 0)
		own.rlim_max = 0;
	set_limits(&nofile);
	r = posix_spawn(ret_pid, path, actions, attributes, argv, env);
	set_limits(&own);
	return r;
}

/* A copy above the fds that the child gets, so that placing one cannot hit another. */
static int above(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, CONTROL_FD + 1);

	return copy < 0 ? -errno : copy;
}

static int place_fds(posix_spawn_file_actions_t *a, int control, int output)
{
	int r;

	r = posix_spawn_file_actions_addopen(a, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, output, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, output, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, control, CONTROL_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(a, CONTROL_FD + 1);
	return r;
}

static int set_attributes(posix_spawnattr_t *a)
{
	sigset_t set;
	int r;

	sigfillset(&set);
	r = posix_spawnattr_setsigdefault(a, &set);
	sigemptyset(&set);
	if (r == 0)
		r = posix_spawnattr_setsigmask(a, &set);
	if (r == 0)
		r = posix_spawnattr_setflags(
			a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	return r;
}

pid_t spawn_worker_program(
	const char *path, const char *pool, char *const *env, int control, int output)
{
	char *const argv[] = {(char *)path, (char *)pool, NULL};
	char *const no_env[] = {NULL};
	cleanup_fd int control_copy = above(control);
	cleanup_fd int output_copy = above(output);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid = -1;
	int r;

	if (control_copy < 0 || output_copy < 0)
		return control_copy < 0 ? control_copy : output_copy;
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	r = place_fds(&actions, control_copy, output_copy);
	if (r == 0)
		r = set_attributes(&attributes);
	if (r == 0)
		r = spawn_with_limits(&pid, path, &actions, &attributes, argv, env ? env : no_env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? pid : -r;
}
