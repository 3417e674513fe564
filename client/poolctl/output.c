#include "client/poolctl/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
	bool json;
	bool quiet;
	bool terminal;
	bool bold;
	int error; /* the first failure, errno */
} output;

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

static bool want_color(void)
{
	const char *term = getenv("TERM");

	if (is_set("NO_COLOR"))
		return false;
	if (is_set("CLICOLOR_FORCE"))
		return true;
	return output.terminal && term && strcmp(term, "dumb") != 0;
}

bool output_setup(bool json, bool quiet, const char *color)
{
	output.json = json;
	output.quiet = quiet;
	output.terminal = isatty(STDOUT_FILENO) == 1;
	output.bold = want_color();
	if (!color || strcmp(color, "auto") == 0)
		return true;
	output.bold = strcmp(color, "always") == 0;
	return output.bold || strcmp(color, "never") == 0;
}

bool output_is_json(void)
{
	return output.json;
}

bool output_is_quiet(void)
{
	return output.quiet;
}

bool output_is_terminal(void)
{
	return output.terminal;
}

bool output_is_bold(void)
{
	return output.bold;
}

static void note(int error)
{
	if (!output.error)
		output.error = error ? error : EIO;
}

void output_notice(void)
{
	if (ferror(stdout))
		note(errno);
}

void output_bytes(const void *bytes, size_t len)
{
	if (len > 0 && fwrite(bytes, 1, len, stdout) < len)
		note(errno);
}

void output_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vprintf(format, args) < 0 || putchar('\n') == EOF)
		note(errno);
	va_end(args);
}

void output_json(json_t *value)
{
	if (!value)
		note(ENOMEM);
	else if (json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY) < 0 ||
		 putchar('\n') == EOF)
		note(errno);
	json_decref(value);
}

void output_document(json_t *object)
{
	json_t *whole = json_pack("{s:i}", "schema", OUTPUT_SCHEMA);

	if (!object || !whole || json_object_update(whole, object) < 0) {
		json_decref(whole);
		whole = NULL;
	}
	json_decref(object);
	output_json(whole);
}

void output_flush(void)
{
	if (fflush(stdout) == EOF)
		note(errno);
}

bool output_has_failed(void)
{
	return output.error != 0;
}

int output_finish(void)
{
	output_flush();
	if (!output.error)
		return 0;
	output_complain("cannot write to standard output: %s", strerror(output.error));
	return -output.error;
}

printf_like(1, 0) static void talk(const char *format, va_list args)
{
	output_flush(); /* in the order in which things happened */
	fputs("poolctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void output_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	talk(format, args);
	va_end(args);
}

void output_say(const char *format, ...)
{
	va_list args;

	if (output.quiet)
		return;
	va_start(args, format);
	talk(format, args);
	va_end(args);
}

void output_stderr(const void *bytes, size_t len)
{
	if (len > 0 && fwrite(bytes, 1, len, stderr) < len)
		clearerr(stderr);
}
