/* poolctl: the command line of poold. main() reads the global options and the verb's, runs the
 * verb, and makes sure that what it printed has arrived. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/poolctl/exitcode.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "config.h"

/* A socket must not become fd 1 because the caller had closed it: standard fds that are missing
 * become ones that can only be used the wrong way round. */
static int fill_standard_fds(void)
{
	static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};
	int fd;

	for (fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
			return -errno;
	}
	return 0;
}

static int usage_failed(const struct verb *v, bool for_job, const char *why)
{
	struct exitcode e = exitcode_of_usage(for_job);

	return ctl_fail(e, "usage", NULL, "%s; \"poolctl%s%s --help\" tells more", why,
		v ? " " : "", v ? v->name : "");
}

static int print_and_finish(struct ctl *ctl, const struct verb *v)
{
	if (ctl->version)
		printf("poolctl %s\n", PACKAGE_VERSION);
	else
		verb_help(v);
	output_notice();
	return EXITCODE_OK;
}

static int run_verb(struct ctl *ctl, const struct verb *v, void *values, int argc, char **argv)
{
	const struct opt_set sets[] = {{ctl_options, ctl}, {v->opts, values}};
	struct opt_error error;
	int first, r;

	r = opt_parse(sets, ARRAY_SIZE(sets), v->stops, argc, argv, &first, &error);
	ctl->for_job = v->for_job && v->for_job(values);
	if (!output_setup(ctl->json, ctl->quiet, ctl->color) && r == 0) {
		snprintf(error.message, sizeof(error.message),
			"--color: \"%.80s\" is none of auto, always, never", ctl->color);
		r = 1;
	}
	if (r < 0)
		return ctl_own_failure(ctl, r, NULL);
	if (r > 0)
		return usage_failed(v, ctl->for_job, error.message);
	if (ctl->help || ctl->version)
		return print_and_finish(ctl, v);
	return v->run(ctl, values, argc - first, argv + first);
}

static int find_and_run_verb(struct ctl *ctl, int argc, char **argv)
{
	const struct verb *v = verb_find(argv[0]);
	cleanup_free void *values = NULL;
	char why[128];
	int code;

	if (!v) {
		snprintf(why, sizeof(why), "unknown verb %.80s", argv[0]);
		return usage_failed(NULL, false, why);
	}
	values = calloc(1, v->values_size ? v->values_size : 1);
	if (!values)
		return ctl_own_failure(ctl, -ENOMEM, NULL);
	code = run_verb(ctl, v, values, argc, argv);
	opt_release(v->opts, values);
	return code;
}

static int run_poolctl(struct ctl *ctl, int argc, char **argv)
{
	const struct opt_set globals = {ctl_options, ctl};
	struct opt_error error;
	int first, r;

	r = opt_parse(&globals, 1, true, argc, argv, &first, &error);
	if (r < 0)
		return ctl_own_failure(ctl, r, NULL);
	if (r > 0)
		return usage_failed(NULL, false, error.message);
	if (ctl->help || ctl->version)
		return print_and_finish(ctl, NULL);
	if (first == argc)
		return usage_failed(NULL, false, "a verb is missing");
	return find_and_run_verb(ctl, argc - first, argv + first);
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.signal_fd = -1};
	int code, r;

	r = fill_standard_fds();
	if (r < 0)
		return EXITCODE_FALSE;
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone shows as EPIPE, which is said */
	code = run_poolctl(&ctl, argc, argv);
	ctl_close(&ctl);
	if (output_finish() < 0)
		code = exitcode_of_own(ctl.for_job).code;
	return code;
}
