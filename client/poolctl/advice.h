/* What the daemon advises for functions whose jobs work too small a part of their time. */
#pragma once

#include <jansson.h>

/* A paragraph for each {function, remedy, text}, an empty line before them; nothing if there are
 * none (NULL). */
void advice_print(const json_t *advice);
