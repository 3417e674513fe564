/* The new process shares this one's memory until it has become the command, and this one stands
 * still meanwhile (as with vfork()). So nothing is copied, whatever the size of the worker, and a
 * step that fails is told through plain memory. The price: only system calls there, no function
 * that allocates or locks.
 *
 * Nothing has to be done for signals. Whatever has a handler goes back to its default, the worker
 * ignores none when it runs commands, and none are blocked. */
#include "daemon/worker/exec_spawn.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/worker/cgroup.h"

#define STACK_BYTES	 (64u * 1024u)
#define NAME_MAX_BYTES	 256u
#define DEFAULT_PATH	 "/usr/local/bin:/usr/bin:/bin"
#define SHELL		 "/bin/sh"
#define EXIT_NOT_STARTED 127

/* The sanitizers' bookkeeping for a stack that never returns would end up in the worker's. */
#define in_child __attribute__((no_sanitize("address", "undefined")))

struct start {
	struct exec_spec *spec;
	const int *fds;
	pid_t parent;
	struct exec_failure *failure;
};

in_child static int set_up(const struct start *st)
{
	if ((st->spec->has_ctty ? setsid() : setpgid(0, 0)) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	if (getppid() != st->parent) {
		errno = ESRCH;
		return -1;
	}
	for (int i = 0; i < 3; i++) {
		if (st->fds[i] >= 0 && dup2(st->fds[i], i) < 0)
			return -1;
	}
	return close_range(3, ~0u, 0);
}

/* The first of its standard fds that is a terminal; its process group is in the foreground then. A
 * terminal that controls another session stays that one's: EPERM, unless root took it away. */
in_child static int take_terminal(void)
{
	for (int i = 0; i < 3; i++) {
		if (ioctl(i, TIOCSCTTY, 0) == 0)
			return 0;
		if (errno != ENOTTY && errno != EINVAL)
			return -1;
	}
	errno = ENOTTY;
	return -1;
}

in_child static int apply(struct start *st)
{
	const struct exec_spec *s = st->spec;

	st->failure->step = EXEC_STEP_SET_UP;
	if (set_up(st) < 0)
		return -1;
	st->failure->step = EXEC_STEP_CTTY;
	if (s->has_ctty && take_terminal() < 0)
		return -1;
	if (s->umask >= 0)
		umask((mode_t)s->umask);
	st->failure->step = EXEC_STEP_NICE;
	if (s->has_nice && setpriority(PRIO_PROCESS, 0, s->nice) < 0)
		return -1;
	st->failure->step = EXEC_STEP_CWD;
	if (s->cwd && chdir(s->cwd) < 0)
		return -1;
	/* last: a limit may be too small for more */
	st->failure->step = EXEC_STEP_LIMIT;
	for (unsigned i = 0; i < s->n_limits; i++) {
		st->failure->limit = i;
		if (setrlimit((__rlimit_resource_t)s->limits[i].resource, &s->limits[i].value) < 0)
			return -1;
	}
	st->failure->step = EXEC_STEP_EXEC;
	return 0;
}

/* Returns only on failure. A file that the kernel does not know how to run is taken for a shell
 * script. */
in_child static void run_file(struct exec_spec *s, char *file)
{
	char *name = s->argv[0];

	execve(file, s->argv, s->envp);
	if (errno != ENOEXEC)
		return;
	s->argv[-1] = (char *)SHELL;
	s->argv[0] = file;
	execve(SHELL, s->argv - 1, s->envp);
	s->argv[0] = name;
	errno = ENOEXEC;
}

/* Does the search go on in the next directory? */
in_child static bool is_not_here(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ESTALE ||
	       error == ENODEV || error == ETIMEDOUT;
}

/* Returns only on failure, with errno. */
in_child static void search(struct exec_spec *s)
{
	const char *dir = s->path ? s->path : DEFAULT_PATH, *end;
	char file[PATH_MAX + NAME_MAX_BYTES];
	size_t name_len = strlen(s->argv[0]), dir_len;
	bool was_denied = false;

	if (name_len >= NAME_MAX_BYTES) {
		errno = ENAMETOOLONG;
		return;
	}
	for (;; dir = end + 1) {
		end = strchrnul(dir, ':');
		dir_len = (size_t)(end - dir);
		if (dir_len < PATH_MAX) {
			memcpy(file, dir, dir_len);
			if (dir_len > 0)
				file[dir_len++] = '/';
			memcpy(file + dir_len, s->argv[0], name_len + 1);
			run_file(s, file);
			was_denied |= errno == EACCES;
			if (!is_not_here(errno))
				return;
		}
		if (!*end)
			break;
	}
	errno = was_denied ? EACCES : ENOENT;
}

in_child static int be_child(void *arg)
{
	struct start *st = arg;

	if (apply(st) == 0) {
		if (strchr(st->spec->argv[0], '/'))
			run_file(st->spec, st->spec->argv[0]);
		else
			search(st->spec);
	}
	st->failure->error = errno;
	_exit(EXIT_NOT_STARTED);
}

/* What parent and child have in common. Shared memory, although all of it is shared as it is: so it
 * also works where a tool makes a plain fork() of it (valgrind). */
struct common {
	struct exec_failure failure;
	char stack[STACK_BYTES] __attribute__((aligned(64)));
};

/* Mapped once: there is one command at a time. */
static struct common *get_common(void)
{
	static struct common *common;

	if (!common) {
		void *p = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return NULL;
		common = p;
	}
	return common;
}

/* Into the command's control group, at birth: joining it later costs milliseconds. clone() has no
 * bit left to ask for that, and the C library no function for clone3(), which returns twice: in the
 * child on an empty stack, so what comes next there is the call of be_child(). */
#ifdef __x86_64__
#define INTO_FLAGS (CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP)

static long clone_into(const struct clone_args *args, struct start *st)
{
	long r = SYS_clone3;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[arg], %%rdi\n\t"
			 "call *%[run]\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(r)
			 : "D"(args), "S"(sizeof(*args)), [run] "r"(be_child), [arg] "r"(st)
			 : "rcx", "r11", "cc", "memory");
	return r;
}
#else
/* A plain fork() needs no assembler; it copies page tables, which a small command feels. */
#define INTO_FLAGS (CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP)

in_child static long clone_into(struct clone_args *args, struct start *st)
{
	long r;

	args->stack = args->stack_size = 0;
	r = syscall(SYS_clone3, args, sizeof(*args));
	if (r == 0)
		be_child(st);
	return r;
}
#endif

static pid_t start_in(int group, struct common *common, struct start *st, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = INTO_FLAGS,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)common->stack,
		.stack_size = STACK_BYTES,
		.cgroup = (uint64_t)group,
	};

	return (pid_t)clone_into(&args, st);
}

int exec_spawn(struct exec_spec *s, const int fds[3], struct exec_child *ret)
{
	struct common *common = get_common();
	struct start st = {.spec = s, .fds = fds, .parent = getpid()};
	pid_t pid = -1;
	int pidfd;

	if (!common)
		return -ENOMEM;
	st.failure = &common->failure;
	common->failure = (struct exec_failure){};
	if (cgroup_job() >= 0)
		pid = start_in(cgroup_job(), common, &st, &pidfd);
	if (pid < 0)
		pid = clone(be_child, common->stack + STACK_BYTES,
			CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &st, &pidfd);
	if (pid < 0)
		return -errno;
	*ret = (struct exec_child){.pid = pid, .pidfd = pidfd, .failure = &common->failure};
	return 0;
}
