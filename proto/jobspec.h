/* The options of submit, submit_many, call and put: one struct, packed by clients, parsed by the
 * daemon. */
#pragma once

#include "proto/buf.h"
#include "proto/cursor.h"

/* X(KEY, word): what version 0.1 knows; the rest is refused by name. */
#define JOBSPEC_OPTIONS(X)                                                                         \
	X(TIMEOUT, "timeout")                                                                      \
	X(GRACE, "grace")                                                                          \
	X(DELIVER, "deliver")                                                                      \
	X(ATTACHED, "attached")                                                                    \
	X(GROUP, "group")                                                                          \
	X(LABEL, "label")                                                                          \
	X(TTL, "ttl")                                                                              \
	X(PRIORITY, "priority")                                                                    \
	X(TRACE, "trace")                                                                          \
	X(KEY, "key")                                                                              \
	X(START_WITHIN, "start_within")                                                            \
	X(DEADLINE, "deadline")                                                                    \
	X(DELAY, "delay")                                                                          \
	X(RETRIES, "retries")                                                                      \
	X(RETRY_ON, "retry_on")                                                                    \
	X(BACKOFF, "backoff")                                                                      \
	X(AFTER, "after")                                                                          \
	X(AFTER_ANY, "after_any")                                                                  \
	X(EACH, "each")                                                                            \
	X(ADMIT_WITHIN, "admit_within")

enum jobspec_option {
#define X(name, word) JOBSPEC_##name,
	JOBSPEC_OPTIONS(X)
#undef X
		_JOBSPEC_MAX,
};

/* The ends of a run after which `retries` permits another one: bits of retry_on. */
enum {
	JOBSPEC_ON_LOST = 1 << 0,
	JOBSPEC_ON_FAILED = 1 << 1,
	JOBSPEC_ON_TIMEOUT = 1 << 2,
};

#define JOBSPEC_BIT(name)  (1u << JOBSPEC_##name)
#define JOBSPEC_WAITS	   (JOBSPEC_BIT(AFTER) | JOBSPEC_BIT(AFTER_ANY)) /* for other futures */
#define JOBSPEC_FOR_SUBMIT ((1u << _JOBSPEC_MAX) - 1)
/* One key cannot stand for many futures, nor for one that nobody can ask for again. */
#define JOBSPEC_FOR_MANY (JOBSPEC_FOR_SUBMIT & ~JOBSPEC_BIT(KEY))
#define JOBSPEC_FOR_CALL JOBSPEC_FOR_MANY
#define JOBSPEC_FOR_PUT                                                                            \
	(JOBSPEC_BIT(ATTACHED) | JOBSPEC_BIT(GROUP) | JOBSPEC_BIT(LABEL) | JOBSPEC_BIT(TTL) |      \
		JOBSPEC_BIT(KEY) | JOBSPEC_BIT(ADMIT_WITHIN))

/* IDs of futures: the caller's (packing), or checked elements of the message (parsing). */
struct jobspec_ids {
	const uint64_t *ids; /* NULL: they are in `encoded` */
	struct cursor encoded;
	uint32_t n;
};

/* Texts point into the message (parsing) or are the caller's (packing); not terminated. */
struct jobspec {
	uint32_t set;		  /* JOBSPEC_BIT()s of the options that were given */
	uint64_t timeout_us;	  /* run time */
	uint64_t grace_us;	  /* SIGTERM to SIGKILL */
	uint64_t ttl_us;	  /* kept after its end */
	int32_t priority;	  /* higher first */
	uint64_t start_within_us; /* time in the queue */
	uint64_t deadline_us;	  /* all in all */
	uint64_t delay_us;
	uint64_t backoff_us;	  /* after the first run; doubles with each */
	uint64_t admit_within_us; /* how long it may wait for room */
	uint32_t retries;	  /* at most PROTO_RETRIES_MAX */
	uint8_t retry_on;	  /* lost, if it was not given */
	bool deliver;
	bool attached;
	bool each; /* the input is an array: once for each element */
	const char *group, *label, *trace, *key;
	size_t group_len, label_len, trace_len, key_len;
	struct jobspec_ids after;     /* only when all of them are done */
	struct jobspec_ids after_any; /* only when all of them are final */
};

/* Why parsing failed: an error code of the wire and a sentence that names the option, value and
 * limit. */
struct jobspec_error {
	int code; /* enum outcome_code */
	char message[256];
};

/* c stands on a map. 0, or 1 with *ret_error filled. Options outside `allowed` are unknown_option.
 */
must_check int jobspec_parse(
	struct jobspec *ret, struct cursor *c, uint32_t allowed, struct jobspec_error *ret_error);
/* Packs the map of the options that are set. */
void jobspec_pack(struct bufpack *p, const struct jobspec *s);
/* The word of an option. */
const char *jobspec_option_name(enum jobspec_option o);

/* A time in seconds (int or float) as microseconds: > 0 (0 too if zero_ok), at most 100 years.
 * False if it is none. */
must_check bool jobspec_seconds(struct cursor *c, bool zero_ok, uint64_t *ret_us);
