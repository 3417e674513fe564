/* The terminal that poolctl sits at, and a new one for a command. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proto/base.h"

/* A job of a shell that runs in the background must not read the terminal: stops until it is in the
 * foreground. False: it never will be. */
must_check bool terminal_await_foreground(void);
/* Remembers how standard input, if it is a terminal, is set. */
void terminal_save(void);
/* Sets it so again: what was killed had no time to. */
void terminal_restore(void);

/* A new terminal, of the size and with the settings of standard input, which must be a terminal. A
 * process of its own copies between the two, and makes standard input raw meanwhile; *ret_end is
 * the command's end. The process, which relay_finish() awaits, or -errno. */
must_check pid_t terminal_open(int *ret_end);
