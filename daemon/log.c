/* Log lines.
 *
 * A line must never stop the daemon: when nobody reads stderr and its pipe is full, the line is
 * counted and dropped, and the count is told by the first one that fits again. A pipe that polls as
 * writable takes PIPE_BUF bytes at once, and no line is longer. Peers can get their words into a
 * message, so what could forge a second line or steer a terminal is escaped here, for all callers.
 */
#include "daemon/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

#define LINE_BYTES 2048
static_assert(LINE_BYTES <= PIPE_BUF, "a line goes out in one piece");

static const char *const level_words[] = {
	[LOG_ERR] = "err",
	[LOG_WARNING] = "warning",
	[LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static enum log_level least = LOG_INFO;
static uint64_t n_dropped;

void log_set_level(enum log_level level)
{
	least = level;
}

bool log_level_from(const char *word, enum log_level *ret)
{
	for (size_t i = LOG_ERR; i < ARRAY_SIZE(level_words); i++) {
		if (strcmp(word, level_words[i]) == 0) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Bytes of the character at p that may stand in a line as it is; 0: it must be escaped. */
static size_t plain_len(const char *p, size_t left)
{
	for (size_t n = 1; n <= 4 && n <= left; n++)
		if (text_is_plain(p, n))
			return n;
	return 0;
}

/* Appends text at out[at]; stops where the mark of a cut would no longer fit. Returns the new end.
 */
static size_t append_escaped(char *out, size_t at, size_t size, const char *text)
{
	static const char cut[] = "...";
	size_t left = strlen(text), n;

	for (; left > 0; text += n, left -= n) {
		char hex[5];
		const char *piece = text;
		size_t len;

		n = len = plain_len(text, left);
		if (n == 0) {
			snprintf(hex, sizeof(hex), "\\x%02x", (uint8_t)*text);
			piece = hex;
			len = 4;
			n = 1;
		}
		if (at + len + sizeof(cut) > size) {
			memcpy(out + at, cut, sizeof(cut) - 1);
			return at + sizeof(cut) - 1;
		}
		memcpy(out + at, piece, len);
		at += len;
	}
	return at;
}

static bool is_writable(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/* A terminal is for people, everything else for the journal or its like. */
static void write_line(enum log_level level, const char *text)
{
	char line[LINE_BYTES];
	size_t n = 0;

	if (!isatty(STDERR_FILENO))
		n = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	n = append_escaped(line, n, sizeof(line) - 1, text);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) != (ssize_t)n)
		n_dropped++;
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;

	if (level > least)
		return;
	if (!is_writable()) {
		n_dropped++;
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n_dropped > 0) {
		char lost[64];

		snprintf(lost, sizeof(lost), "%llu log lines were lost: nobody read them",
			(unsigned long long)n_dropped);
		n_dropped = 0;
		write_line(LOG_WARNING, lost);
		if (!is_writable()) {
			n_dropped++;
			return;
		}
	}
	write_line(level, text);
}
