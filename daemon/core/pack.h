/* What a worker is given at once: packets of one job each, or of several that are short and pure.
 * Inside the core only. */
#pragma once

#include "daemon/core/core.h"

struct pack {
	struct slot *slot; /* for whom */
	unsigned n;
	unsigned n_last; /* in the last packet */
	bool is_open;	 /* it may take more */
	unsigned most;
	uint64_t run_ns;
	uint64_t wait_ns;
	uint64_t bytes;
	/* Looked at last, and what that came to: */
	const struct account *account;
	struct function *function;
	unsigned n_fit;	    /* as many jobs have room for their results, with those before */
	unsigned n_in_half; /* and leave half of what the account may hold */
	uint64_t each_run_ns;
	uint64_t each_wait_ns;
	uint64_t each_charge_us;
	struct future *jobs[POOL_PACK_JOBS];
	struct queue_mark marks[POOL_PACK_JOBS];
};

/* f may stand behind so many jobs of this worker that keep it waiting so long, without the running
 * one.
 */
bool pack_reaches(const struct slot *s, unsigned n, uint64_t ahead_ns, const struct future *f);
/* An empty one, of at most so many jobs. */
void pack_begin(struct pack *k, struct slot *s, unsigned most);
/* f, which is next in the queue and has room for its result, leaves the queue for it. -ENOMEM: it
 * stays there. */
__attribute__((warn_unused_result)) int pack_add(struct pack *k, struct future *f);
/* May f, which is next then, come too? */
bool pack_has_room(struct pack *k, const struct future *f);
/* Hands it over. What is not taken is back in the queue where it stood, with a CORE_E_ or -errno
 * (-ENOMEM: it is empty); k->n were. */
__attribute__((warn_unused_result)) int pack_send(struct pack *k, uint64_t now_us);
