/* The zygote: loads what the pool's workers need, then only forks them. */
#pragma once

/* Fd 3 is the link to the daemon. Returns the exit code. */
int zygote_main(void);
