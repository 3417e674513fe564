/* The words of map's command for one argument. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"

/* words (ending with NULL) with each "{}" replaced by the argument, which stands at the end if
 * there is no "{}". quote: for the shell. NULL without memory; map_command_free() it. */
must_check char **map_command_make(char *const *words, const char *argument, bool quote);
void map_command_free(char **words);
/* The words in one line; free() it. NULL without memory. */
must_check char *map_command_text(char *const *words);
