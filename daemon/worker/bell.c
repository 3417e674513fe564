#include "daemon/worker/bell.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "proto/limits.h"

static volatile sig_atomic_t has_rung;

/* Signals for one job, that of the newest: bit signo - 1. Both are touched with PROTO_PASS_SIGNO
 * blocked. */
static volatile uintptr_t passed_to; /* as PROTO_PASS_VALUE() of signal 0 */
static volatile uint64_t passed;

static void ring(int signo)
{
	has_rung = 1;
}

static void pass(int signo, siginfo_t *info, void *context)
{
	uintptr_t value = (uintptr_t)info->si_value.sival_ptr;
	unsigned number = value & PROTO_PASS_VALUE(0, 127);

	if (info->si_code != SI_QUEUE || number < 1 || number > PROTO_SIGNO_MAX)
		return;
	if (passed_to != value - number)
		passed = 0;
	passed_to = value - number;
	passed |= 1ull << (number - 1);
}

int bell_init(void)
{
	/* no SA_RESTART: a function that sits in a blocking call is to notice */
	struct sigaction sa = {.sa_handler = ring};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGTERM, &sa, NULL) < 0 ? -errno : 0;
}

int bell_pass_signals(void)
{
	struct sigaction sa = {.sa_sigaction = pass, .sa_flags = SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	return sigaction(PROTO_PASS_SIGNO, &sa, NULL) < 0 ? -errno : 0;
}

static void block(sigset_t *ret_before)
{
	sigset_t bells;

	sigemptyset(&bells);
	sigaddset(&bells, SIGTERM);
	sigaddset(&bells, PROTO_PASS_SIGNO);
	sigprocmask(SIG_BLOCK, &bells, ret_before);
}

uint64_t bell_passed(uint64_t id)
{
	sigset_t before;
	uint64_t mask;

	if (!passed)
		return 0;
	block(&before);
	mask = passed_to == PROTO_PASS_VALUE(id, 0) ? passed : 0;
	passed = 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return mask;
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
	sigset_t before;
	int r;

	block(&before);
	if (has_rung || passed) {
		r = -EINTR;
	} else {
		r = ppoll(fds, n_fds, timeout_us == BELL_FOREVER ? NULL : &ts, &before);
		if (r < 0)
			r = -errno;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
