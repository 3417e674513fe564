/* What goes out on a zygote's control socket. */
#pragma once

#include "daemon/zygote.h"

#define ZYGOTE_SETUP_MSGID 0u

/* 0, or -errno. */
must_check int zygote_request_setup(struct zygote *z);
/* Passes the worker's end of its link and of its output, and its cgroups. 0, or -errno. */
must_check int zygote_request_fork(
	struct zygote *z, uint32_t msgid, const struct worker_link *l, int output);
