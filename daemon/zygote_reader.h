/* What comes in on a zygote's control socket: answers. */
#pragma once

#include "daemon/zygote.h"

/* Reads one packet. True: there may be more. */
bool zygote_reader_run(struct zygote *z);
