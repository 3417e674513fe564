/* What is wrong with a configuration: collected while it is read and checked, so that one look
 * tells all of it. A key that was refused, or that might be what was misspelt, is known as such
 * (config_origin, config_parse_pool), and what would only follow from it is not told besides. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_parse.h"

/* The lists are short, or else the file is no configuration at all. */
#define ERRORS_MAX 1000

int config_fail(struct config_parse *p, const char *file, int line, const char *format, ...)
{
	struct config_errors *errors = p->errors;
	struct config_error *grown, *e;
	va_list args;

	grown = realloc(errors->all, (errors->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	errors->all = grown;
	e = &grown[errors->n++];
	*e = (struct config_error){.line = line};
	snprintf(e->file, sizeof(e->file), "%s", file);
	va_start(args, format);
	vsnprintf(e->message, sizeof(e->message), format, args);
	va_end(args);
	return errors->n >= ERRORS_MAX;
}

int config_fail_at(
	struct config_parse *p, const struct config_origin *origin, const char *format, ...)
{
	char message[sizeof(((struct config_error *)0)->message)];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return config_fail(p, origin->file ? origin->file : "", origin->line, "%s", message);
}

void config_errors_clear(struct config_errors *errors)
{
	free(errors->all);
	*errors = (struct config_errors){0};
}

void config_error_text(const struct config_error *e, char text[CONFIG_ERROR_BYTES])
{
	if (e->line)
		snprintf(text, CONFIG_ERROR_BYTES, "%s:%d: %s", e->file, e->line, e->message);
	else
		snprintf(text, CONFIG_ERROR_BYTES, "%s%s%s", e->file, e->file[0] ? ": " : "",
			e->message);
}

void config_errors_log(const struct config_errors *errors, size_t most)
{
	char text[CONFIG_ERROR_BYTES];

	for (size_t i = 0; i < errors->n && i < most; i++) {
		config_error_text(&errors->all[i], text);
		log_err("%s", text);
	}
	if (errors->n > most)
		log_err("%zu more errors in the configuration; poold --check-config tells all",
			errors->n - most);
}
