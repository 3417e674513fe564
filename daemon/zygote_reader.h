/* What comes in on a zygote's control socket: answers. */
#pragma once

#include "daemon/zygote.h"

#define ZYGOTE_SETUP_MSGID 0u

/* Reads one packet. True: there may be more. */
bool zygote_reader_run(struct zygote *z);
