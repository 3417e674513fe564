/* Times and sizes as people write them, both ways. Never localised. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"

/* The longest text that quantity_…_text() writes, with its end. */
#define QUANTITY_TEXT 32

/* "30s", "5min", "1h30min", "500ms", "1.5h"; a bare number is seconds. At most 100 years. */
must_check bool quantity_time(const char *text, uint64_t *ret_us);
/* "64K", "1.5MiB"; a bare number is bytes; units are powers of 1024. Below 2^63. */
must_check bool quantity_size(const char *text, uint64_t *ret_bytes);

/* "850us", "12.3ms", "4.21s", "3min 5s", "2h 10min", "5d 3h". Both return text. */
const char *quantity_time_text(double seconds, char text[QUANTITY_TEXT]);
/* "512", "1.5K", "20M". */
const char *quantity_size_text(uint64_t bytes, char text[QUANTITY_TEXT]);
