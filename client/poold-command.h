/* libpoold, commands: the input of functions of handler exec, written down piece by piece, and what
 * such a job came to. poold.h says how to submit it, and what holds for all functions. */
#ifndef POOLD_COMMAND_H
#define POOLD_COMMAND_H

#include "poold.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * poold_command_new() - a command without arguments
 * @ret_command:  the command
 *
 * Blocks:   no.
 * Owner:    the caller gets it.
 * Returns:  0.
 * Errors:   -ENOMEM.
 * Since:    0.1
 */
int poold_command_new(poold_command **ret_command);

/**
 * poold_command_free() - end of a command
 * @c:  command or NULL
 *
 * Blocks:   no.
 * Owner:    gone; jobs made from it are not concerned.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_command *poold_command_free(poold_command *c);

/**
 * poold_command_add_arg() - one more word of its argv
 * @c:    command
 * @arg:  word; the first one is the program
 *
 * Blocks:   no.
 * Owner:    @arg is copied.
 * Returns:  0.
 * Errors:   -EINVAL it has a shell text.
 * Since:    0.1
 */
int poold_command_add_arg(poold_command *c, const char *arg);

/**
 * poold_command_add_argv() - several words
 * @c:     command
 * @argv:  words, NULL behind the last
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   -EINVAL it has a shell text.
 * Since:    0.1
 */
int poold_command_add_argv(poold_command *c, const char *const *argv);

/**
 * poold_command_set_shell() - a text for /bin/sh -c instead of an argv
 * @c:     command
 * @text:  shell text
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   -EINVAL it has arguments.
 * Since:    0.1
 */
int poold_command_set_shell(poold_command *c, const char *text);

/**
 * poold_command_set_env() - a variable of its environment
 * @c:      command
 * @name:   name, without "="
 * @value:  value; NULL: without this variable of the pool
 *
 * Blocks:   no.
 * Owner:    copied. The last value of a name counts.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_set_env(poold_command *c, const char *name, const char *value);

/**
 * poold_command_set_environ() - a whole environment
 * @c:        command
 * @vars:  "NAME=VALUE" texts, NULL behind the last; others are passed over
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_set_environ(poold_command *c, const char *const *vars);

/**
 * poold_command_clear_env() - start from no environment instead of the pool's
 * @c:  command
 *
 * Blocks:   no.
 * Owner:    what was set for @c stays.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_clear_env(poold_command *c);

/**
 * poold_command_set_cwd() - its working directory, if not the pool's
 * @c:     command
 * @path:  absolute path
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_set_cwd(poold_command *c, const char *path);

/**
 * poold_command_set_stdin() - what it reads
 * @c:      command
 * @input:  bytes, text, iovec, buffer or file; nil: /dev/null; a future: its value, a byte
 *          string, or the standard output of a command
 *
 * Blocks:   a file is read now.
 * Owner:    copied; above 64 KiB into a memfd that all submits of this command share.
 * Returns:  0.
 * Errors:   -EINVAL anything else; those of making a memfd.
 * Since:    0.1
 */
int poold_command_set_stdin(poold_command *c, poold_input input);

/**
 * poold_command_set_stdin_fd() - an fd as its standard input
 * @c:   command
 * @fd:  regular file, pipe, terminal or /dev/null, passed as it is: offset and flags are shared
 *
 * Blocks:   no.
 * Owner:    duplicated.
 * Returns:  0.
 * Errors:   -EBADF; -EMFILE.
 * Since:    0.1
 */
int poold_command_set_stdin_fd(poold_command *c, int fd);

/**
 * poold_command_set_stdout_fd() - an fd as its standard output
 * @c:   command
 * @fd:  regular file, pipe, terminal or /dev/null, open for writing
 *
 * The command writes to it itself; poold keeps nothing of it, and the result has no output. poold
 * lets go of it when the command has it, or when the job is over. Anything else, a socket say, is
 * refused (bad_fd): relay it through a pipe. For one file as output and error, give it twice.
 *
 * Blocks:   no.
 * Owner:    duplicated.
 * Returns:  0.
 * Errors:   -EBADF; -EMFILE.
 * Since:    0.1
 */
int poold_command_set_stdout_fd(poold_command *c, int fd);

/**
 * poold_command_set_stderr_fd() - an fd as its standard error
 * @c:   command
 * @fd:  as poold_command_set_stdout_fd()
 *
 * Blocks:   no.
 * Owner:    duplicated.
 * Returns:  0.
 * Errors:   -EBADF; -EMFILE.
 * Since:    0.1
 */
int poold_command_set_stderr_fd(poold_command *c, int fd);

/**
 * poold_command_set_ctty() - a terminal of its own
 * @c:  command
 *
 * It becomes the leader of a new session, and the first of its standard fds that is a terminal
 * becomes the controlling one of that. The terminal must control no other session: the end of a new
 * pty, say, not the one where the caller sits.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EINVAL.
 * Since:    0.1
 */
int poold_command_set_ctty(poold_command *c);

/**
 * poold_command_set_umask() - its umask
 * @c:     command
 * @mask:  0 … 0777
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_set_umask(poold_command *c, unsigned mask);

/**
 * poold_command_set_nice() - its nice value
 * @c:     command
 * @nice:  -20 … 19
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_set_nice(poold_command *c, int nice);

/**
 * poold_command_set_limit() - one of its resource limits
 * @c:      command
 * @name:   "nofile", "as", "cpu", …, as in setrlimit(2) without RLIMIT_
 * @value:  soft and hard limit; UINT64_MAX: none
 *
 * Blocks:   no.
 * Owner:    @name is copied.
 * Returns:  0.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_command_set_limit(poold_command *c, const char *name, uint64_t value);

#ifdef __cplusplus
}
#endif

#endif
