#include "daemon/worker/bell.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static volatile sig_atomic_t has_rung;

static void ring(int signo)
{
	has_rung = 1;
}

int bell_init(void)
{
	/* no SA_RESTART: a function that sits in a blocking call is to notice */
	struct sigaction sa = {.sa_handler = ring};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGTERM, &sa, NULL) < 0 ? -errno : 0;
}

bool bell_rang(void)
{
	if (!has_rung)
		return false;
	has_rung = 0;
	return true;
}

int bell_poll(struct pollfd *fds, unsigned n_fds, uint64_t timeout_us)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_us / 1000000),
		.tv_nsec = (long)(timeout_us % 1000000) * 1000,
	};
	sigset_t bell, before;
	int r;

	sigemptyset(&bell);
	sigaddset(&bell, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &bell, &before) < 0)
		return -errno;
	if (has_rung) {
		r = -EINTR;
	} else {
		r = ppoll(fds, n_fds, timeout_us == BELL_FOREVER ? NULL : &ts, &before);
		if (r < 0)
			r = -errno;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
