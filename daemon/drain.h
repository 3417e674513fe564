/* Requests that wait until pools have run empty. */
#pragma once

#include "daemon/server.h"

/* After core_turn(): answers those whose pools are through. */
void drains_turn(struct server *s);
