/* Values in shared memory that runs brought to workers, which may keep them: shared memory lives as
 * long as anybody has it mapped, so they are told when there is no use for it any more. */
#pragma once

#include "daemon/worker_link.h"

/* f was handed over to l. */
void lending_note(const struct worker_link *l, const struct future *f);
/* p is about to go. A worker that does not hear of it, since its inbox is full, lets go after a
 * while. */
void lending_end(struct links *all, const struct payload *p);

/* What was told to a worker that had not received it yet. */
#define LENDING_BACK 64u
struct lending_back {
	unsigned n;
	uint64_t ids[LENDING_BACK];
};
/* A packet that was taken out of the inbox again and is no run. */
void lending_took_back(struct lending_back *b, const uint8_t *bytes, size_t len);
void lending_tell_again(const struct worker_link *l, const struct lending_back *b);
