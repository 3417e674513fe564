/* libpoold, submit: jobs and values go to the daemon. A part of poold.h, which includes it. */
#include "poold.h"

#ifndef POOLD_SUBMIT_H
#define POOLD_SUBMIT_H

#ifdef __cplusplus
extern "C" {
#endif

/* The ends of a run after which retries permits another one: bits of retry_on. */
typedef enum poold_retry_on {
	POOLD_RETRY_ON_LOST = 1 << 0,
	POOLD_RETRY_ON_FAILED = 1 << 1,
	POOLD_RETRY_ON_TIMEOUT = 1 << 2 /* the timeout of a run; no other clock */
} poold_retry_on;

/* Start with POOLD_OPTIONS_INIT; 0 and NULL mean "not given". Text is UTF-8. */
typedef struct poold_options {
	size_t size;	       /* of this struct, as the caller knows it */
	uint64_t timeout_us;   /* longest run */
	uint64_t grace_us;     /* from SIGTERM to SIGKILL */
	uint64_t ttl_us;       /* how long the daemon keeps it after its end; default one hour */
	const char *group;     /* up to 128 bytes */
	const char *label;     /* up to 256 bytes */
	const char *trace;     /* W3C traceparent */
	int32_t priority;      /* higher first */
	uint8_t attached;      /* 1: cancelled when the connection closes */
	uint8_t auto_release;  /* 1: the daemon forgets it once its end has arrived here */
	const char *key;       /* up to 128 bytes: submitted again with the same content, it is the
				 same future; not for poold_submit_many() */
	const uint64_t *after; /* it runs only when these futures are done; if one ends otherwise it
				  is POOLD_ABORTED */
	size_t n_after;
	const uint64_t *after_any; /* it runs only when these futures are final */
	size_t n_after_any;
	uint64_t start_within_us; /* longest time in the queue */
	uint64_t deadline_us;	  /* longest time all in all, from the submit */
	uint64_t delay_us;	  /* before it enters the queue */
	uint64_t backoff_us;	  /* before the next run; doubles with each */
	uint32_t retries;	  /* further runs, at most 1000 */
	uint8_t retry_on;	  /* poold_retry_on bits; 0: POOLD_RETRY_ON_LOST */
	uint8_t each; /* 1: the input is an array: the function of a module is run for each
				     element, and the result is the array of results; poold-map.h */
	uint64_t admit_within_us; /* how long it may wait for room, in place of a refusal for a
				     quota or a full daemon; it has no ID meanwhile */
} poold_options;

#define POOLD_OPTIONS_INIT                                                                         \
	{                                                                                          \
		sizeof(poold_options), 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, 0, NULL, 0, \
			0, 0, 0, 0, 0, 0, 0, 0                                                     \
	}

/**
 * poold_submit() - hand in a job
 * @p:           handle
 * @function:    "pool/function", or a function of pool default
 * @input:       what it works on
 * @options:     options or NULL
 * @ret_future:  its future, POOLD_SENT
 *
 * Nothing is refused here that only the daemon can know: a job that it does not take makes the
 * future POOLD_REFUSED. Set a callback right afterwards, it cannot have been missed.
 *
 * Blocks:   no (but see poold_input_file()). The bytes go out with the next round of the pump.
 * Owner:    the caller gets a reference to the future; @input, @options are borrowed.
 * Returns:  0.
 * Errors:   -EAGAIN too much waits to be sent: run the pump (poold_flush()) and try again;
 *           -ENOTCONN, -EPROTO connection lost; -EBADMSG the encoded input is none; -EMSGSIZE
 *           larger than a message may be; -E2BIG more than 4 fds; -EFBIG over RLIMIT_FSIZE, which
 *           holds for memfds, too; -EBUSY a buffer is mapped for writing somewhere else; -EMFILE
 *           and others of making a memfd.
 * Since:    0.1
 */
int poold_submit(poold *p, const char *function, poold_input input, const poold_options *options,
	poold_future **ret_future);

/**
 * poold_submit_many() - hand in a job for each of several inputs, all or none
 * @p:            handle
 * @function:     as in poold_submit()
 * @inputs:       inputs; together one message, so below 1 MiB and with at most 4 fds
 * @n_inputs:     how many, at least 1
 * @options:      options for each, or NULL
 * @ret_futures:  room for @n_inputs futures
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference to each future.
 * Returns:  0.
 * Errors:   as poold_submit(); -E2BIG more than 4 fds.
 * Since:    0.1
 */
int poold_submit_many(poold *p, const char *function, const poold_input *inputs, size_t n_inputs,
	const poold_options *options, poold_future **ret_futures);

/**
 * poold_put() - store a value, to be the input of any number of jobs
 * @p:           handle
 * @value:       the value
 * @options:     of these, ttl_us, group, label, key, attached and admit_within_us; NULL: none
 * @ret_future:  its future; POOLD_DONE, without a result here, once the daemon has acknowledged it
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference to the future.
 * Returns:  0.
 * Errors:   as poold_submit().
 * Since:    0.1
 */
int poold_put(poold *p, poold_input value, const poold_options *options, poold_future **ret_future);

#ifdef __cplusplus
}
#endif

#endif
