/* The fds that a client gives a command as its standard input, output and error. */
#pragma once

#include <stdint.h>

#include "proto/base.h"
#include "proto/cursor.h"

/* What an fd of a command's input is for; it may be for several. */
enum {
	STDIO_IN = 1,
	STDIO_OUT = 2,
	STDIO_ERR = 4,
	STDIO_VALUE = 8, /* something else: a sealed memfd, as in any input */
};

/* roles[i]: what index i of the ext 1s in a command's input is for. */
void stdio_find(struct cursor input, uint8_t *roles);
/* May it be that? NULL, or why not. Never for STDIO_VALUE. */
must_check const char *stdio_check(int fd, unsigned roles);
