#include "client/poolctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/poolctl/output.h"

const struct opt ctl_options[] = {
	{'s', "socket", "PATH", "the daemon's socket", OPT_TEXT, offsetof(struct ctl, socket)},
	{'q', "quiet", NULL, "no talk but errors; IDs alone", OPT_FLAG,
		offsetof(struct ctl, quiet)},
	{0, "json", NULL, "print JSON", OPT_FLAG, offsetof(struct ctl, json)},
	{0, "no-legend", NULL, "no titles above tables", OPT_FLAG, offsetof(struct ctl, no_legend)},
	{0, "color", "WHEN", "auto, always or never", OPT_TEXT, offsetof(struct ctl, color)},
	{'h', "help", NULL, "print this help", OPT_FLAG, offsetof(struct ctl, help)},
	{'V', "version", NULL, "print the version", OPT_FLAG, offsetof(struct ctl, version)},
	{0},
};

printf_like(4, 0) static int fail(
	struct exitcode e, const char *code, json_t *details, const char *format, va_list args)
{
	cleanup_free char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	output_complain("%s", text ? text : strerror(ENOMEM));
	if (output_is_json())
		output_document(json_pack("{s:{s:s, s:s*, s:o*}, s:i, s:s}", "error", "code", code,
			"message", text, "details", details, "exit_code", e.code, "exit_source",
			exitcode_source_name(e.source)));
	else
		json_decref(details);
	return e.code;
}

int ctl_fail(struct exitcode e, const char *code, json_t *details, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = fail(e, code, details, format, args);
	va_end(args);
	return r;
}

int ctl_usage(struct ctl *ctl, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = fail(exitcode_of_usage(ctl->for_job), "usage", NULL, format, args);
	va_end(args);
	return r;
}

int ctl_most_operands(struct ctl *ctl, int most, int argc, char **argv)
{
	if (argc <= most)
		return 0;
	return ctl_usage(ctl, "\"%s\" is one operand too many", argv[most]);
}

int ctl_own_failure(struct ctl *ctl, int r, const char *what)
{
	return ctl_fail(exitcode_of_own(ctl->for_job), "poolctl", NULL, "%s%s%s", what ? what : "",
		what ? ": " : "", strerror(-r));
}
