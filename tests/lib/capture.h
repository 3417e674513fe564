/* What a test's code writes to stderr. */
#pragma once

/* From now on it goes into a pipe. */
void capture_start(void);
/* What came since the start, or since the last call; good until the next. */
const char *capture_read(void);
/* stderr is what it was. */
void capture_end(void);
