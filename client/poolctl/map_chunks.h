/* A map whose jobs have many arguments each: libpoold gathers them. */
#pragma once

#include "client/poolctl/map_window.h"

/* In place of map_window_run(), with so many arguments in a job, at most; 0: libpoold chooses. */
must_check int map_chunks_run(struct map_window *w, uint32_t chunk);
