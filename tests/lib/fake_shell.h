/* A shell without a kernel: links and workers as plain arrays, for the unit tests of the core and
 * for the simulator.
 *
 * A worker's inbox is what the kernel's would be: each packet is taken either by the worker
 * (fake_receive) or by the daemon (take_back), never by both. What the worker sends lies in its
 * outbox until the daemon reads. Death, kill and bell are told late: fake_die() ends the process,
 * fake_reap() is the daemon's death path.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/core.h"

enum {
	FAKE_INBOX = 160,
	FAKE_OUTBOX = 160,
	FAKE_HELD = 4 * POOL_PACK_JOBS,
};

struct payload {
	struct fake *fake;
	uint64_t bytes;
	uint16_t fds;
};

struct future_extra {
	struct fake *fake;
	uint64_t bytes;
};

/* One message. */
struct fake_run {
	bool is_cancel; /* the notification, not a run */
	bool shares;	/* the packet of the one before it */
	bool is_told;	/* a cancel for it was received */
	bool has_started;
	uint32_t msgid;
	uint64_t id;
};

struct fake_answer {
	uint32_t msgid;
	bool is_failure;
	enum future_failure failure;
	uint64_t value_bytes;
	bool is_inline; /* however large; else it has an fd if it has no room in a packet */
	uint64_t started_us;
	uint64_t run_us;
	uint64_t rss_kib;
	struct fake_run run; /* that it answers */
	bool is_recycle;     /* no answer but the notification */
};

enum fake_life {
	FAKE_NONE,
	FAKE_STARTING,
	FAKE_UP,
	FAKE_DEAD, /* not yet reaped */
};

/* One for each slot, in slot->shell's place. */
struct fake_worker {
	struct fake *fake;
	struct fake_worker *next; /* of all */
	struct slot *slot;
	enum fake_life life;
	struct fake_run inbox[FAKE_INBOX];
	unsigned n_inbox;
	unsigned inbox_size; /* packets: more is CORE_E_LATER */
	struct fake_run held[FAKE_HELD];
	unsigned
		n_held; /* received, not answered; of more than one packet only if it breaks the protocol */
	uint64_t held_since_us;
	struct fake_answer outbox[FAKE_OUTBOX];
	unsigned n_outbox;
	unsigned n_unsent; /* of them, answers that may wait for others of their packet */
	bool has_bell;	   /* SIGTERM was sent, not yet delivered */
	bool has_kill;	   /* SIGKILL likewise */
	bool is_closed;	   /* end of file lies behind the inbox */
	unsigned n_rung;
	bool was_killed;      /* by nobody here: the daemon is told so */
	bool is_deaf;	      /* take_back and read_answers get nothing: found dead too early */
	unsigned kind;	      /* the test's */
	bool has_lost_cancel; /* the daemon took it back */
	bool is_given_up;     /* killed, for it did not receive */
	bool is_known_dead;   /* the daemon knows, its burial is not over */
	bool is_retired;      /* the core was told that it wants to be replaced */
	bool is_old;	      /* likewise */
	/* How long jobs lay in its inbox since it was last heard of: lain_us, and since then. */
	uint64_t lain_us;
	uint64_t lies_since_us;
};

struct fake_waiter {
	struct waiter w;
	unsigned n_told;
	unsigned n_moves;	 /* of one that watches */
	uint64_t id;		 /* of what it was told */
	enum future_state state; /* likewise */
};

/* What a test wants to see or decide; NULL: nothing, yes. */
struct fake_hooks {
	bool (*may_hand_over)(struct fake_worker *w, struct future *f);
	/* A packet of theirs goes out; the next is told of each of them; 0: that was it. */
	void (*packed)(struct fake_worker *w, struct future *const *jobs, unsigned n);
	/* Its inputs bring more than a run may have; NULL: no. */
	bool (*is_too_large)(struct fake_worker *w, struct future *f);
	void (*handed_over)(struct fake_worker *w, struct future *f);
	bool (*may_fork)(struct fake_worker *w);
	void (*rung)(struct fake_worker *w, struct future *f);
	void (*signalled)(struct fake_worker *w, struct future *f);
	/* Before the daemon takes a packet or an answer: the other side may be quicker. */
	void (*race)(struct fake_worker *w);
	void (*received)(struct fake_worker *w, const struct fake_run *run);
	/* All that came before it in its packet is answered. */
	void (*started)(struct fake_worker *w, const struct fake_run *run);
	void (*closed)(struct fake_worker *w);
	void (*ready)(struct fake_worker *w);
	/* Its answer was read and taken. */
	void (*answered)(struct fake_worker *w);
	/* The core is about to hear of its death. */
	void (*died)(struct fake_worker *w);
	void (*told)(struct fake *fake, struct fake_waiter *w, struct future *f);
	/* A pool that was removed goes now. */
	void (*dropped)(struct fake *fake, struct pool *p);
};

struct fake {
	struct core core;
	struct fake_hooks hooks;
	void *user;
	struct fake_worker *workers;
	uint64_t now_us;
	uint64_t n_payloads;
	uint64_t n_extras;
	uint64_t loss_bytes;	/* size of the details of a loss; 0: none */
	uint64_t attempt_bytes; /* of what is written down of an attempt, likewise */
	unsigned n_hand_overs;
	unsigned n_packs; /* packets of several */
	unsigned n_taken_back;
	unsigned n_rings;
	unsigned n_signals;
	unsigned n_kills;
	unsigned n_closes;
	unsigned n_forks;
	unsigned n_violations; /* answers and packets that the core refused */
};

/* Aborts if there is no memory: a test has it. */
void fake_init(struct fake *fake, const struct account_limits *limits, uint64_t first_id);
/* No waiter is left, no account is held. */
void fake_deinit(struct fake *fake);
/* A pool that is ready, with the functions "f" and "g". */
struct pool *fake_pool(struct fake *fake, const struct pool_config *config);
struct fake_worker *fake_worker(struct pool *p, unsigned number);

struct payload *fake_payload(struct fake *fake, uint64_t bytes, uint16_t fds);
struct future_extra *fake_extra(struct fake *fake, uint64_t bytes);
/* NULL is fine. */
void fake_drop_payload(struct payload *p);
void fake_drop_extra(struct future_extra *e);

/* ---- what a worker does: false if it cannot ---- */

/* Takes the next packet out of its inbox, and starts its first run. A cancel is noted or ignored.
 */
bool fake_receive(struct fake_worker *w);
/* Sends the answer to the first that it holds; msgid is filled in. Then it starts the next one;
 * those that it was told to cancel it answers at once. */
bool fake_answer(struct fake_worker *w, struct fake_answer a);
/* Asks to be replaced. */
bool fake_recycle(struct fake_worker *w);
/* The bell rings: it takes the cancels out of its inbox. True if the job that runs is to be
 * cancelled. */
bool fake_hear_bell(struct fake_worker *w);
bool fake_die(struct fake_worker *w);
/* Dead, it had not sent so many of its last answers yet: it holds their runs. */
void fake_unsend(struct fake_worker *w, unsigned n);

/* ---- what the daemon does ---- */

/* The worker said `ready`. */
bool fake_ready(struct fake_worker *w);
/* Its outbox is readable. */
bool fake_read(struct fake_worker *w);
/* Its pidfd is readable. */
bool fake_reap(struct fake_worker *w);
/* Only the first half of that: its answers and its inbox are read, its burial is delayed. */
bool fake_notice_death(struct fake_worker *w);
/* The end of a turn of the loop. */
uint64_t fake_turn(struct fake *fake);
