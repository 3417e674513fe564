#include "daemon/worker/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

void confine_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&sa.sa_mask);
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		sigaction(signo, &sa, NULL); /* fails for a few, which cannot be changed */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int confine_to_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* The kernel's own parent-death signal tells when the change has happened: it is sent after it. The
 * wait has an end, in case the forker was gone before the signal was asked for. */
int confine_await_parent(pid_t forker, pid_t parent)
{
	struct timespec tick = {.tv_nsec = 50000000};
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	if (prctl(PR_SET_PDEATHSIG, SIGCHLD) < 0)
		return -errno;
	while (getppid() == forker)
		sigtimedwait(&set, NULL, &tick);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return getppid() == parent ? 0 : -ESRCH;
}

int confine_to_user(const char *name)
{
	pid_t parent = getppid();
	struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return errno ? -errno : -ENOENT;
	if (initgroups(name, user->pw_gid) < 0 ||
		setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
		setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0 ||
		prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	return confine_to_parent(parent);
}

int confine_environment(char *const *env, size_t n_env)
{
	static char *none[] = {NULL};

	/* clearenv() leaves NULL, which those who walk over it do not expect */
	environ = none;
	for (size_t i = 0; i < n_env; i++) {
		char *value = strchr(env[i], '=');
		int r;

		if (!value)
			return -EINVAL;
		*value = '\0';
		r = setenv(env[i], value + 1, 1);
		*value = '=';
		if (r < 0)
			return -errno;
	}
	return 0;
}
