/* The command's session is not ours, so the terminal where we sit cannot be its controlling one.
 * What needs that (job control, /dev/tty, signals by keys) gets a pty, and a process that carries
 * the bytes: keys go there as they are, so ^C and ^Z mean the command and not us. The kernel tells
 * the command of a new size when we set it. The command is over when nobody has its end open any
 * more.
 */
#include "client/poolctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#define COPY_BYTES 4096u
/* ^] three times within a second: the way out when the command heeds nothing. */
#define ESCAPE_KEY   0x1d
#define ESCAPE_TIMES 3u
#define ESCAPE_MS    1000

static struct termios saved;
static bool is_saved;
static volatile sig_atomic_t is_changed; /* its size, or it was stopped */

bool terminal_await_foreground(void)
{
	pid_t front;

	while ((front = tcgetpgrp(STDIN_FILENO)) >= 0 && front != getpgrp()) {
		struct sigaction act;

		/* one whose shell is gone, or that was told not to heed it, would not stop */
		if (sigaction(SIGTTIN, NULL, &act) < 0 || act.sa_handler == SIG_IGN ||
			getppid() == 1 || getsid(0) != tcgetsid(STDIN_FILENO))
			return false;
		kill(0, SIGTTIN);
	}
	return true;
}

void terminal_save(void)
{
	is_saved = tcgetattr(STDIN_FILENO, &saved) == 0;
}

void terminal_restore(void)
{
	if (!is_saved || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

static void on_change(int signo)
{
	is_changed = 1;
}

static void make_raw(void)
{
	struct termios raw = saved;

	cfmakeraw(&raw);
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void copy_size(int from, int to)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) == 0)
		ioctl(to, TIOCSWINSZ, &size);
}

static int open_pair(int *ret_end)
{
	cleanup_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];
	int end;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -errno;
	if (ptsname_r(master, name, sizeof(name)) != 0)
		return -errno;
	end = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (end < 0)
		return -errno;
	if (is_saved)
		tcsetattr(end, TCSANOW, &saved);
	copy_size(STDIN_FILENO, master);
	*ret_end = end;
	return take_fd(&master);
}

static bool write_all(int fd, const char *bytes, ssize_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, bytes, (size_t)n);

		if (w < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (w < 0 && errno != EINTR)
			return false;
		bytes += w > 0 ? w : 0;
		n -= w > 0 ? w : 0;
	}
	return true;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_escape(const char *bytes, ssize_t n)
{
	static unsigned times;
	static int64_t since_ms;

	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] != ESCAPE_KEY || (times > 0 && now_ms() - since_ms > ESCAPE_MS))
			times = 0;
		if (bytes[i] != ESCAPE_KEY)
			continue;
		if (times++ == 0)
			since_ms = now_ms();
		if (times == ESCAPE_TIMES)
			return true;
	}
	return false;
}

/* False: nothing more is typed. */
static bool pass_keys(int master, pid_t poolctl)
{
	char bytes[COPY_BYTES];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n > 0 && is_escape(bytes, n))
		kill(poolctl, SIGTERM);
	if (n > 0)
		return write_all(master, bytes, n);
	return n < 0 && (errno == EINTR || errno == EAGAIN);
}

/* 0, or errno of the write; -1: nobody has the other end open. */
static int pass_screen(int master)
{
	char bytes[COPY_BYTES];
	ssize_t n = read(master, bytes, sizeof(bytes));

	if (n > 0)
		return write_all(STDOUT_FILENO, bytes, n) ? 0 : errno;
	return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -1;
}

/* waiting: the signals of a change are blocked but for then, so that none is missed. */
static int carry(int master, pid_t poolctl, const sigset_t *waiting)
{
	bool has_keys = true;
	int r = 0;

	while (r == 0) {
		struct pollfd fds[] = {
			{.fd = master, .events = POLLIN},
			{.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN},
		};

		if (is_changed) {
			is_changed = 0;
			make_raw();
			copy_size(STDIN_FILENO, master);
		}
		if (ppoll(fds, ARRAY_SIZE(fds), NULL, waiting) < 0)
			continue;
		if (fds[0].revents)
			r = pass_screen(master);
		if (fds[1].revents)
			has_keys = pass_keys(master, poolctl);
	}
	return r > 0 ? r : 0;
}

_Noreturn static void be_carrier(int master, pid_t poolctl)
{
	struct sigaction change = {.sa_handler = on_change};
	sigset_t changes, waiting;
	int r;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* its terminal's end shows as the end of the keys */
	sigemptyset(&changes);
	sigaddset(&changes, SIGWINCH);
	sigaddset(&changes, SIGCONT);
	sigprocmask(SIG_BLOCK, &changes, &waiting);
	sigdelset(&waiting, SIGWINCH);
	sigdelset(&waiting, SIGCONT);
	sigaction(SIGWINCH, &change, NULL);
	sigaction(SIGCONT, &change, NULL);
	if (dup2(master, 3) < 0)
		_exit(errno);
	close_range(4, ~0u, 0);
	make_raw();
	r = carry(3, poolctl, &waiting);
	terminal_restore();
	_exit(r);
}

pid_t terminal_open(int *ret_end)
{
	pid_t poolctl = getpid(), pid;
	cleanup_fd int end = -1;
	cleanup_fd int master = -1;

	if (!is_saved)
		return -ENOTTY;
	master = open_pair(&end);
	if (master < 0)
		return master;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		be_carrier(master, poolctl);
	*ret_end = take_fd(&end);
	return pid;
}
