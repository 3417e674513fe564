/* What a command gets as its standard input, output and error. */
#pragma once

#include "client/poolctl/ctl.h"

/* For submit: files. */
struct stdioargs {
	const char *out, *err;
	bool append;
};

#define STDIOARGS_OPTIONS(s, m)                                                                    \
	{'o', "stdout", "FILE", "its output goes to this file, and not to poold", OPT_TEXT,        \
		offsetof(s, m.out)},                                                               \
		{'e', "stderr", "FILE", "the same of its standard error", OPT_TEXT,                \
			offsetof(s, m.err)},                                                       \
	{                                                                                          \
		0, "append", NULL, "behind what these files hold", OPT_FLAG, offsetof(s, m.append) \
	}

struct stdio {
	int fds[3];	 /* -1: /dev/null; output and error are kept by poold */
	bool is_copied;	 /* the input: what is in it now, instead of the file itself */
	bool has_ctty;	 /* all three are a terminal of its own */
	pid_t relays[3]; /* 0: none */
};

void stdio_init(struct stdio *io);
void stdio_deinit(struct stdio *io);
/* The input is this file ("-": poolctl's own). is_twice: there may be several runs, and each is to
 * find all of it. 0 or -errno. */
must_check int stdio_open_input(struct stdio *io, const char *path, bool is_late, bool is_twice);
/* 0 or the exit code. */
must_check int stdio_open_output(struct ctl *ctl, struct stdio *io, const struct stdioargs *a);
/* poolctl's own ones, as far as they are none yet; what a command cannot have is relayed. Output
 * only if the command is to have it. 0 or -errno. */
must_check int stdio_pass_own(struct stdio *io, bool with_output, bool is_twice);
/* A terminal of its own. 0 or the exit code. */
must_check int stdio_open_terminal(struct ctl *ctl, struct stdio *io);
/* The daemon has them: holds nothing open whose end somebody may wait for. */
void stdio_let_go(struct stdio *io);
/* The command is over: waits until its last words have arrived. 0, or the exit code if they could
 * not. */
must_check int stdio_finish(struct ctl *ctl, struct stdio *io);
