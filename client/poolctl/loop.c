#include "client/poolctl/loop.h"

#include "client/poold-request.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#define SIGNAL_PAIR_US 500000

static int catch_signals(struct ctl *ctl, bool with_stops)
{
	sigset_t set;

	sigemptyset(&set);
	if (with_stops)
		sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ctl_own_failure(ctl, -errno, "signals");
	ctl->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ctl->signal_fd < 0)
		return ctl_own_failure(ctl, -errno, "signals");
	return 0;
}

int loop_catch_signals(struct ctl *ctl)
{
	return catch_signals(ctl, false);
}

int loop_catch_signals_and_stops(struct ctl *ctl)
{
	return catch_signals(ctl, true);
}

uint64_t loop_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

double loop_unix_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t loop_until(uint64_t timeout_us)
{
	uint64_t now = loop_now();

	return timeout_us > POOLD_FOREVER - now ? POOLD_FOREVER : now + timeout_us;
}

/* For poll(): rounded up, so that it does not spin through the last millisecond. */
static int milliseconds_until(uint64_t at_us)
{
	uint64_t now = loop_now(), ms;

	if (at_us <= now)
		return 0;
	ms = (at_us - now + 999) / 1000;
	return ms > 3600000 ? 3600000 : (int)ms;
}

/* Who signals a process and its group, as timeout(1) does, means one signal, not two. */
static bool take_signal(struct ctl *ctl)
{
	uint64_t last_us = ctl->signal_at_us, now_us = loop_now();
	struct signalfd_siginfo info;

	if (read(ctl->signal_fd, &info, sizeof(info)) != sizeof(info))
		return false;
	ctl->signo = (int)info.ssi_signo;
	if (ctl->signo == SIGTSTP)
		return true;
	ctl->signal_at_us = now_us;
	return last_us == 0 || now_us - last_us > SIGNAL_PAIR_US;
}

/* What to wait for, and how long at most; -errno. */
static int milliseconds_to_wait(struct ctl *ctl, uint64_t until_us)
{
	uint64_t library_us;
	int r;

	r = poold_get_timeout(ctl->client, &library_us);
	if (r < 0)
		return r;
	until_us = library_us < until_us ? library_us : until_us;
	return until_us == POOLD_FOREVER ? INT_MAX : milliseconds_until(until_us);
}

int loop_turn(struct ctl *ctl, int input_fd, uint64_t until_us)
{
	struct pollfd fds[3];
	int r, wait_ms = 0, came = 0;
	bool busy;

	r = poold_process(ctl->client);
	if (r < 0)
		return r;
	/* A busy connection must not keep signals and input waiting: they are looked at all the
	 * same. */
	busy = r > 0;
	if (!busy)
		wait_ms = milliseconds_to_wait(ctl, until_us);
	if (wait_ms < 0)
		return wait_ms;
	fds[0] = (struct pollfd){
		busy ? -1 : poold_get_fd(ctl->client), (short)poold_get_events(ctl->client), 0};
	fds[1] = (struct pollfd){ctl->signal_fd, POLLIN, 0};
	fds[2] = (struct pollfd){input_fd, POLLIN, 0};
	r = poll(fds, ARRAY_SIZE(fds), wait_ms == INT_MAX ? -1 : wait_ms);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents && take_signal(ctl))
		came |= LOOP_SIGNAL;
	if (fds[2].revents)
		came |= LOOP_INPUT;
	if (loop_now() >= until_us)
		came |= LOOP_TIME;
	return came;
}

static int on_pong(poold_reply *reply, void *userdata)
{
	struct ctl *ctl = userdata;

	(void)reply;
	ctl->has_pong = true;
	return 0;
}

int loop_ping(struct ctl *ctl)
{
	uint64_t until_us = loop_until(ctl->patience_us);
	int r, came = 0;

	ctl->has_pong = false;
	r = poold_request_async(ctl->client, "ping", NULL, on_pong, ctl);
	if (r < 0)
		return r == -EAGAIN ? -ETIMEDOUT : r; /* what was sent before is not even read */
	while (!ctl->has_pong && !came) {
		came = loop_turn(ctl, -1, until_us);
		if (came < 0)
			return came;
	}
	if (ctl->has_pong)
		return 0;
	return came & LOOP_SIGNAL ? -EINTR : -ETIMEDOUT;
}
