#include "tests/bench/flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void flow_check(int r, const poold *p, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, poold_strerror(r), p ? poold_get_error_text(p) : "");
	exit(1);
}

poold_input flow_input(void)
{
	static const char bytes[FLOW_BYTES];

	return poold_input_bytes(bytes, sizeof(bytes));
}

poold_input flow_number(uint8_t encoded[9], uint64_t number)
{
	encoded[0] = 0xcf; /* a uint 64 */
	for (unsigned i = 0; i < 8; i++)
		encoded[1 + i] = (uint8_t)(number >> (56 - 8 * i));
	return poold_input_encoded(encoded, 9);
}

static int on_settled(poold_future *f, void *userdata)
{
	struct flow *w = userdata;

	w->n_settled++;
	w->n_done += poold_future_get_state(f) == POOLD_DONE;
	return 0;
}

bool flow_send(
	struct flow *w, const char *function, poold_input input, const poold_options *options)
{
	poold_options o = options ? *options : (poold_options){.size = sizeof(o)};
	poold_future *f;
	int r;

	o.auto_release = 1;
	r = poold_submit(w->handle, function, input, &o, &f);
	if (r == -EAGAIN)
		return false;
	flow_check(r, w->handle, "submit");
	flow_check(poold_future_set_callback(f, on_settled, w), w->handle, "callback");
	poold_future_unref(f);
	w->n_sent++;
	return true;
}

void flow_pump(struct flow *w, uint64_t timeout_us)
{
	flow_check(poold_wait(w->handle, timeout_us), w->handle, "wait");
	flow_check(poold_process(w->handle), w->handle, "process");
}

void flow_await(struct flow *w, unsigned n)
{
	while (w->n_settled < n)
		flow_pump(w, POOLD_FOREVER);
	if (w->n_done == w->n_settled)
		return;
	fprintf(stderr, "%u of %u are done\n", w->n_done, w->n_settled);
	exit(1);
}
