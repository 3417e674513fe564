/* Jobs of one connection whose ends come back through the pump. What fails ends the program: a
 * figure of it would mean nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/poold.h"

#define FLOW_BYTES 64 /* of an input */

struct flow {
	poold *handle;
	unsigned n_sent, n_settled, n_done;
};

void flow_check(int r, const poold *p, const char *what);
/* What a no-op is given. */
poold_input flow_input(void);
/* The input that is a number. */
poold_input flow_number(uint8_t encoded[9], uint64_t number);
/* False: too much waits to be sent. `options` as poold_submit(); released at its end. */
bool flow_send(
	struct flow *w, const char *function, poold_input input, const poold_options *options);
void flow_pump(struct flow *w, uint64_t timeout_us);
/* Until n have settled, all of which must be done. */
void flow_await(struct flow *w, unsigned n);
