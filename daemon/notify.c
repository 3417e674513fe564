/* Messages to the service manager. A failure to send is no reason to stop: who does not hear READY
 * or a beat acts on it.
 *
 * The beat is sent by the loop itself, at the end of a turn, so it says that turns end. */
#include "daemon/notify.h"

#include <config.h> /* quotes would find daemon/config.h */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
static int sd_notify(int unset_environment, const char *state)
{
	return 0;
}

static int sd_watchdog_enabled(int unset_environment, uint64_t *ret_us)
{
	return 0;
}
#endif

/* Often enough for people. */
#define STATUS_US (10 * 1000000ull)

void notify_init(struct notify *n)
{
	uint64_t us = 0;

	*n = (struct notify){0};
	if (sd_watchdog_enabled(0, &us) > 0)
		n->interval_us = us / 2 > 0 ? us / 2 : 1;
}

static void __attribute__((format(printf, 2, 0)))
tell(const char *state, const char *format, va_list args)
{
	char status[NOTIFY_STATUS_BYTES], message[NOTIFY_STATUS_BYTES + 32];

	vsnprintf(status, sizeof(status), format, args);
	snprintf(message, sizeof(message), "%sSTATUS=%s", state, status);
	(void)sd_notify(0, message);
}

static void notify_line(const char *line)
{
	char message[NOTIFY_STATUS_BYTES + 32];

	snprintf(message, sizeof(message), "STATUS=%s", line);
	(void)sd_notify(0, message);
}

void notify_ready(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell("READY=1\n", format, args);
	va_end(args);
}

void notify_reloading(uint64_t now_us)
{
	char message[64];

	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)now_us);
	(void)sd_notify(0, message);
}

void notify_stopping(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell("STOPPING=1\n", format, args);
	va_end(args);
}

uint64_t notify_watchdog(struct notify *n, uint64_t now_us)
{
	if (n->interval_us == 0)
		return UINT64_MAX;
	if (now_us >= n->next_at_us) {
		(void)sd_notify(0, "WATCHDOG=1");
		n->next_at_us = now_us + n->interval_us;
	}
	return n->next_at_us;
}

void notify_status(struct notify *n, uint64_t now_us, const char *format, ...)
{
	char line[NOTIFY_STATUS_BYTES];
	va_list args;

	n->status_at_us = now_us + STATUS_US;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	n->had_news = strcmp(line, n->status) != 0;
	if (!n->had_news)
		return;
	strcpy(n->status, line);
	notify_line(line);
}
