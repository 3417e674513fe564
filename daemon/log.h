/* Log lines on stderr, with the priority prefixes that the journal reads. One line per event, by
 * the layer that decides. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"

enum log_level {
	LOG_ERR = 3,
	LOG_WARNING = 4,
	LOG_NOTICE = 5,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
};

/* Less important lines are dropped; LOG_INFO to begin with. */
void log_set_level(enum log_level level);
/* "err", "warning", …; false if there is none of that name. */
bool log_level_from(const char *word, enum log_level *ret);
/* One line: control characters and broken UTF-8 in it are escaped, overlong ones cut. */
void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);

#define log_err(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_DEBUG, __VA_ARGS__)
