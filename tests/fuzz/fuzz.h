/* What the fuzz targets share. */
#pragma once

#include <stdio.h>

#include "proto/base.h"

/* What must hold for whatever bytes; also with NDEBUG. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: must be: %s\n", __FILE__, __LINE__, #condition);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
