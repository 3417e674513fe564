#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/verb.h"
#include "proto/limits.h"

static const struct opt options[] = {{0}};

/* The number, or the name with or without SIG in front. 0: none of both. */
static int parse_signal(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text, *known;
	unsigned number = 0;

	if (isdigit((unsigned char)*text)) {
		for (const char *c = text; *c; c++) {
			if (!isdigit((unsigned char)*c) || number > PROTO_SIGNO_MAX)
				return 0;
			number = 10 * number + (unsigned)(*c - '0');
		}
		return number <= PROTO_SIGNO_MAX ? (int)number : 0;
	}
	for (int signo = 1; signo <= PROTO_SIGNO_MAX; signo++) {
		known = sigabbrev_np(signo);
		if (known && strcasecmp(known, name) == 0)
			return signo;
	}
	return 0;
}

/* ID… SIG: the last operand is the signal. */
static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	int code, signo = argc > 0 ? parse_signal(argv[argc - 1]) : 0;
	struct ids ids;

	if (argc > 1 && !signo)
		return ctl_usage(ctl, "%s is no signal", argv[argc - 1]);
	code = ids_parse(ctl, argc > 0 ? argc - 1 : 0, argv, 1, INT_MAX, &ids);
	if (code)
		return code;
	code = ids_ask_each(ctl, "signal", &ids, json_integer(signo));
	ids_deinit(&ids);
	return code;
}

const struct verb verb_signal = {
	.name = "signal",
	.operands = "ID… SIGNAL",
	.doc = "Send a signal to commands that run",
	.more = "SIGNAL is a name, such as HUP or SIGUSR1, or a number. The processes of the "
		"command's group\n"
		"get it, and only while it runs. Exits with 1 if one does not run.",
	.opts = options,
	.run = run,
};
