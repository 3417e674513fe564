/* The command has the files themselves, so its bytes pass neither poold nor poolctl, and a pipe
 * breaks and ends for it as in a shell. What poold does not pass on (a socket, /dev/full) goes
 * through a pipe and a process that copies.
 */
#include "client/poolctl/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "client/poolctl/jobargs.h"
#include "client/poolctl/output.h"
#include "client/poolctl/relay.h"
#include "client/poolctl/terminal.h"

enum kind {
	KIND_NONE, /* not open, or the wrong way */
	KIND_FILE,
	KIND_PIPE,
	KIND_TERMINAL,
	KIND_NULL,
	KIND_OTHER, /* poold refuses it */
};

static enum kind kind_of(int fd, int wrong_way)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == wrong_way || fstat(fd, &st) < 0)
		return KIND_NONE;
	if (S_ISREG(st.st_mode))
		return KIND_FILE;
	if (S_ISFIFO(st.st_mode))
		return KIND_PIPE;
	if (S_ISCHR(st.st_mode) && isatty(fd))
		return KIND_TERMINAL;
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) ? KIND_NULL : KIND_OTHER;
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

void stdio_init(struct stdio *io)
{
	*io = (struct stdio){.fds = {-1, -1, -1}};
}

void stdio_deinit(struct stdio *io)
{
	for (unsigned i = 0; i < ARRAY_SIZE(io->fds); i++) {
		io->fds[i] = fd_close(io->fds[i]);
		if (io->relays[i])
			relay_stop(io->relays[i]);
		io->relays[i] = 0;
	}
}

/* A file that is read twice, or a pipe long after, is not what it was when the job was handed in.
 */
static bool is_to_be_copied(int fd, bool is_late, bool is_twice)
{
	switch (kind_of(fd, O_WRONLY)) {
	case KIND_FILE: return is_twice;
	case KIND_NULL: return false;
	case KIND_PIPE:
	case KIND_TERMINAL: return is_late;
	default: return true;
	}
}

int stdio_open_input(struct stdio *io, const char *path, bool is_late, bool is_twice)
{
	int fd = input_open(path);

	if (fd < 0)
		return fd;
	io->fds[0] = fd;
	io->is_copied = is_to_be_copied(fd, is_late, is_twice);
	return 0;
}

/* "-" is what poolctl has itself. */
static int open_output(const char *path, int own, bool append)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return duplicate(own);
	fd = open(path,
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | (append ? 0 : O_TRUNC),
		0666);
	return fd < 0 ? -errno : fd;
}

int stdio_open_output(struct ctl *ctl, struct stdio *io, const struct stdioargs *a)
{
	const char *const paths[] = {NULL, a->out, a->err};

	if (a->append && !a->out && !a->err)
		return ctl_usage(ctl, "--append is for --stdout and --stderr");
	for (int i = 1; i < 3; i++) {
		if (!paths[i])
			continue;
		io->fds[i] = i == 2 && a->out && strcmp(a->out, a->err) == 0
				     ? duplicate(io->fds[1])
				     : open_output(paths[i], i, a->append);
		if (io->fds[i] < 0)
			return ctl_own_failure(ctl, io->fds[i], paths[i]);
	}
	return 0;
}

static int pass_input(struct stdio *io, bool is_twice)
{
	switch (kind_of(STDIN_FILENO, O_WRONLY)) {
	case KIND_NONE: return 0;
	case KIND_TERMINAL:
		if (!terminal_await_foreground())
			return 0;
		break;
	case KIND_OTHER:
		io->relays[0] = relay_from(STDIN_FILENO, &io->fds[0]);
		return io->relays[0] < 0 ? io->relays[0] : 0;
	case KIND_FILE: io->is_copied = is_twice; break;
	default: break;
	}
	io->fds[0] = duplicate(STDIN_FILENO);
	return io->fds[0] < 0 ? io->fds[0] : 0;
}

/* What is not open stays with poold, so that it is said that the output went nowhere. */
static int pass_output(struct stdio *io, int which)
{
	switch (kind_of(which, O_RDONLY)) {
	case KIND_NONE: return 0;
	case KIND_OTHER:
		io->relays[which] = relay_to(which, &io->fds[which]);
		return io->relays[which] < 0 ? io->relays[which] : 0;
	default: break;
	}
	io->fds[which] = duplicate(which);
	return io->fds[which] < 0 ? io->fds[which] : 0;
}

int stdio_pass_own(struct stdio *io, bool with_output, bool is_twice)
{
	int r = 0;

	terminal_save();
	if (io->fds[0] < 0)
		r = pass_input(io, is_twice);
	for (int i = 1; i < 3 && r == 0 && with_output; i++)
		r = pass_output(io, i);
	for (unsigned i = 0; i < ARRAY_SIZE(io->relays); i++)
		if (io->relays[i] < 0)
			io->relays[i] = 0;
	return r;
}

int stdio_open_terminal(struct ctl *ctl, struct stdio *io)
{
	pid_t pid;

	terminal_save();
	if (kind_of(STDIN_FILENO, O_WRONLY) != KIND_TERMINAL)
		return ctl_usage(ctl, "--pty: standard input is no terminal");
	if (!terminal_await_foreground())
		return ctl_usage(ctl, "--pty: it runs in the background");
	pid = terminal_open(&io->fds[0]);
	for (int i = 1; i < 3 && pid > 0; i++)
		io->fds[i] = duplicate(io->fds[0]);
	if (pid < 0 || io->fds[1] < 0 || io->fds[2] < 0)
		return ctl_own_failure(ctl, pid < 0 ? pid : -EMFILE, "--pty");
	io->relays[1] = pid;
	io->has_ctty = true;
	return 0;
}

/* A terminal has no end that anybody waits for, and is set right again later. */
static void become_null(int fd, int flags)
{
	cleanup_fd int null = -1;

	if (isatty(fd))
		return;
	null = open("/dev/null", flags | O_CLOEXEC);
	if (null >= 0)
		dup2(null, fd);
}

void stdio_let_go(struct stdio *io)
{
	bool had[2] = {io->fds[0] >= 0, io->fds[1] >= 0};

	for (unsigned i = 0; i < ARRAY_SIZE(io->fds); i++)
		io->fds[i] = fd_close(io->fds[i]);
	if (had[0])
		become_null(STDIN_FILENO, O_RDONLY);
	if (had[1] && !io->has_ctty)
		become_null(STDOUT_FILENO, O_WRONLY);
}

int stdio_finish(struct ctl *ctl, struct stdio *io)
{
	static const char *const names[] = {NULL, "output", "error"};
	int code = 0;

	for (int i = 1; i < 3; i++) {
		int r = io->relays[i] ? relay_finish(io->relays[i], ctl->signal_fd) : 0;

		io->relays[i] = 0;
		if (r < 0 && code == 0)
			code = ctl_fail(exitcode_of_own(true), "poolctl", NULL,
				"cannot write to standard %s: %s", names[i], strerror(-r));
	}
	return code;
}
