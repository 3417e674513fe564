/* What a command leaves behind. */
#pragma once

/* Kills and reaps until this process has no child left, or only such as may not be killed. */
void exec_reap(void);
