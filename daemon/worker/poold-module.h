/**
 * poold-module.h - functions for a poold pool
 *
 * A module is a shared object (.so) with functions that jobs call. A pool names it in poold's
 * configuration (`handler = module`, `module = NAME`); every worker of that pool then has it
 * loaded. It exports one symbol, the table `poold_module`:
 *
 *	#include <poold-module.h>
 *
 *	static int run_hello(poold_job *job)
 *	{
 *		return poold_job_result_text(job, "hello", 5);
 *	}
 *
 *	static const struct poold_function functions[] = {
 *		{ "hello", POOLD_FUNCTION_PURE, "Says hello.", run_hello },
 *		{ NULL, 0, NULL, NULL },
 *	};
 *
 *	const struct poold_module poold_module = {
 *		POOLD_MODULE_ABI, "hello", functions, NULL, NULL, NULL,
 *	};
 *
 * Build it with `cc -shared -fPIC -o hello.so hello.c`. It links nothing of poold: the program
 * poold-worker, which loads it, has the functions that are declared here. A client then calls
 * POOL/hello.
 *
 * Processes. One process per pool, the zygote, loads the module and runs its preload(): there
 * the module reads its tables and opens its files, once. Workers are forked from the zygote and
 * share that memory until they write to it. No thread may run in the zygote, so neither a
 * constructor nor preload() may start one: such a module is refused by name. init() runs in
 * each worker before its first job, fini() at its regular end. A worker runs one job at a time;
 * a crash costs that job and that worker, nothing else.
 *
 * Input and result are one MessagePack value each. A large byte string is no part of the
 * encoding: it lies in shared memory, and ext type 1 (payload: one byte, an index) stands for
 * it. poold_job_input_bytes() gives a byte string wherever it is. Ext type 2 (payload: 8 bytes,
 * big endian) stands for the value of that future, which poold_job_value() gives. The encoding
 * was checked before run() sees it: it is one whole value and nests at most 16 deep, so a
 * MessagePack decoder can be used on it.
 *
 * Many small inputs may come as one job (option `each` of a submit). Then run() is called once
 * for each of them, one after the other in one worker, and sees it as an input of its own, whose
 * result it sets. All else is the job's: ID, attempt, user, trace, the futures that the input
 * names, what was kept of them, progress, and whether it is cancelled. The first run() that fails
 * is the last. All results together may have 62 KiB, eight byte strings in shared memory, and the
 * job's largest result.
 *
 * A job without a result call has the result nil. A result call replaces what an earlier one
 * set.
 *
 * Failure. run() returns 0, or a negative errno value: then the job fails with the code
 * "failed" and that error's text. poold_job_fail() says it better, and what it said stands
 * whatever run() returns. Of the functions here, those that return int return 0 or more on
 * success and a negative errno value on failure.
 *
 * Cancelling. A job that is to end gets a soft flag and the signal SIGTERM, whose handler is
 * poold-worker's and only notes it; a blocking system call returns EINTR. A function that runs
 * long asks poold_job_cancelled() now and then and waits with poold_job_wait(). Who does not is
 * killed when the job's grace is over.
 *
 * Threads. Only the thread that called run(), and only until run() returns, may use the job and
 * what it got from it. Standard output and standard error go to poold's log.
 */
#ifndef POOLD_MODULE_H
#define POOLD_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define POOLD_MODULE_API	  __attribute__((visibility("default")))
#define POOLD_MODULE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define POOLD_MODULE_API
#define POOLD_MODULE_PRINTF(f, a)
#endif

/** The version of this interface. A module with another one is refused. */
#define POOLD_MODULE_ABI 1u

/** The result depends on nothing but the input, and running it again does no harm: such jobs may
 * be handed to a worker several at a time, and one that was lost with its worker, or that others of
 * them had to wait for for a second, or whose result is larger than what several may have, may be
 * run again.
 */
#define POOLD_FUNCTION_PURE 0x1u

/** A job that runs. */
typedef struct poold_job poold_job;

/** One function of a module. */
struct poold_function {
	/** Letters, digits, '_', '-', '.'; at most 64 bytes; unique in the module. */
	const char *name;
	/** POOLD_FUNCTION_... */
	unsigned int flags;
	/** One line for people, at most 256 bytes. */
	const char *doc;
	/** Runs one job. 0, or a negative errno value: the job fails. */
	int (*run)(poold_job *job);
};

/** A module. What it does not need is NULL. */
struct poold_module {
	/** POOLD_MODULE_ABI */
	unsigned int abi;
	/** As function names. */
	const char *name;
	/** The last has the name NULL. */
	const struct poold_function *functions;
	/** Once per zygote, before any worker exists. 0, or a negative errno value: the pool fails.
	 */
	int (*preload)(void);
	/** Once per worker, before its first job. 0, or a negative errno value: the worker ends. */
	int (*init)(void);
	/** Once per worker, at its regular end. */
	void (*fini)(void);
};

/** What a module exports. */
extern POOLD_MODULE_API const struct poold_module poold_module;

/**
 * poold_job_id() - the ID of the job's future
 * @job:  the job
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the ID, below 2^53.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API uint64_t poold_job_id(const poold_job *job);

/**
 * poold_job_attempt() - which run of the job this is
 * @job:  the job
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  1 for the first run.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API unsigned int poold_job_attempt(const poold_job *job);

/**
 * poold_job_uid() - who submitted the job
 * @job:  the job
 *
 * The job does not run as that user, but as poold's.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  the user ID.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API unsigned int poold_job_uid(const poold_job *job);

/**
 * poold_job_pool() - the name of the pool that this worker belongs to
 * @job:  the job
 *
 * Blocks:   no.
 * Owner:    poold-worker's.
 * Returns:  a string.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API const char *poold_job_pool(const poold_job *job);

/**
 * poold_job_trace() - the W3C traceparent that came with the job
 * @job:      the job
 * @ret_len:  its length in bytes; 0 if the job has none
 *
 * Blocks:   no.
 * Owner:    the job's; valid until run() returns.
 * Returns:  the text, not terminated.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API const char *poold_job_trace(const poold_job *job, size_t *ret_len);

/**
 * poold_job_input() - the input as it came: the encoding of one MessagePack value
 * @job:      the job
 * @ret_len:  its length in bytes
 *
 * If the whole input stands for the value of a future (ext type 2), it is that value's
 * encoding.
 *
 * Blocks:   no.
 * Owner:    the job's; valid until run() returns; must not be written to.
 * Returns:  the encoding.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API const void *poold_job_input(const poold_job *job, size_t *ret_len);

/**
 * poold_job_input_bytes() - the input as a byte string
 * @job:      the job
 * @ret:      its bytes, not terminated
 * @ret_len:  their number
 *
 * For an input that is a str, a bin, or a byte string in shared memory, which is mapped on
 * first use.
 *
 * Blocks:   no.
 * Owner:    the job's; valid until run() returns; must not be written to.
 * Returns:  0.
 * Errors:   -EINVAL the input is no byte string; others as poold_job_map().
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_input_bytes(poold_job *job, const void **ret, size_t *ret_len);

/**
 * poold_job_bytes() - a byte string that stands anywhere in an input
 * @job:      the job
 * @encoded:  where the value begins
 * @len:      bytes from there on that may be read
 * @ret:      its bytes, not terminated
 * @ret_len:  their number
 *
 * As poold_job_input_bytes(), for one value inside the input or inside the value of a future.
 *
 * Blocks:   no.
 * Owner:    the job's; valid until run() returns; must not be written to.
 * Returns:  0.
 * Errors:   -EINVAL that is no byte string; others as poold_job_value() and poold_job_map().
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_bytes(
	poold_job *job, const void *encoded, size_t len, const void **ret, size_t *ret_len);

/**
 * poold_job_value() - the value of a future that the input names by ext type 2
 * @job:      the job
 * @id:       the future's ID
 * @ret:      the encoding of its value
 * @ret_len:  its length in bytes
 *
 * Blocks:   no.
 * Owner:    the job's; valid until run() returns; must not be written to.
 * Returns:  0.
 * Errors:   -ENOENT the input does not name that future; others as poold_job_map().
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_value(
	poold_job *job, uint64_t id, const void **ret, size_t *ret_len);

/**
 * poold_job_values() - which futures the input names
 * @job:      the job
 * @ret_ids:  their IDs, each once, ascending; may be NULL if @max_ids is 0
 * @max_ids:  how many there is room for
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  how many there are, also if that is more than @max_ids.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API size_t poold_job_values(const poold_job *job, uint64_t *ret_ids, size_t max_ids);

/**
 * poold_job_keep() - keep what was made of a future's value for later jobs of this worker
 * @job:      the job
 * @id:       the future's ID, which the input names
 * @kept:     what to keep; not NULL
 * @bytes:    how much memory it takes, roughly
 * @destroy:  called with @kept when it is kept no longer; may be NULL
 *
 * A table that is decoded once in a worker, not once in a job: a job asks poold_job_kept() first.
 * The value of an ID never changes. What is kept stays until run() returns at least; then it
 * goes when the pool's `cache` has no room for it, when no job asked for that future for ten
 * seconds, or at the worker's regular end, before fini(). It must not point into what the
 * functions here gave, with one exception: byte strings of that future above 64 KiB, which lie
 * in shared memory, stay mapped as long as it is kept if poold_job_map() or one of the other
 * functions has mapped them. A second call for the same ID replaces what was kept.
 *
 * Blocks:   no.
 * Owner:    on success @kept is poold-worker's.
 * Returns:  0.
 * Errors:   -EINVAL @kept is NULL; -ENOENT the input does not name that future; -ENOMEM.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_keep(
	poold_job *job, uint64_t id, void *kept, size_t bytes, void (*destroy)(void *kept));

/**
 * poold_job_kept() - what an earlier job of this worker kept of a future's value
 * @job:  the job
 * @id:   the future's ID, which the input names
 *
 * Blocks:   no.
 * Owner:    poold-worker's; valid until run() returns.
 * Returns:  what poold_job_keep() was given, or NULL.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API void *poold_job_kept(poold_job *job, uint64_t id);

/**
 * poold_job_fd() - the file descriptor that ext type 1 stands for
 * @job:    the job
 * @index:  the payload of the ext
 *
 * Its file offset is shared with others: use pread(), or poold_job_map().
 *
 * Blocks:   no.
 * Owner:    the job's; dup() it to keep it.
 * Returns:  the file descriptor.
 * Errors:   -ENOENT there is none of that index.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_fd(const poold_job *job, unsigned int index);

/**
 * poold_job_map() - the bytes that ext type 1 stands for, mapped for reading
 * @job:      the job
 * @index:    the payload of the ext
 * @ret:      the bytes
 * @ret_len:  their number
 *
 * Blocks:   no; the first touch of a page may.
 * Owner:    the job's; valid until run() returns; must not be written to.
 * Returns:  0.
 * Errors:   -ENOENT there is none of that index; -EBADF it is no sealed memfd; -ENOMEM no room
 *           for it.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_map(
	poold_job *job, unsigned int index, const void **ret, size_t *ret_len);

/**
 * poold_job_result_bytes() - the result is a byte string, by copy
 * @job:    the job
 * @bytes:  the bytes
 * @len:    their number; with an encoding above 64 KiB they travel in shared memory
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   -EFBIG over the job's largest result, or RLIMIT_FSIZE: the job fails with the code
 *           "too_large"; -ENOMEM.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_result_bytes(poold_job *job, const void *bytes, size_t len);

/**
 * poold_job_result_text() - the result is a string, by copy
 * @job:   the job
 * @text:  UTF-8, with its head of 3 bytes at most 64 KiB
 * @len:   its length in bytes
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   -EFBIG too long: the job fails with the code "too_large"; -ENOMEM.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_result_text(poold_job *job, const char *text, size_t len);

/**
 * poold_job_result_encoded() - the result is one MessagePack value, by copy
 * @job:      the job
 * @encoded:  its encoding, at most 64 KiB, nested at most 16 deep, without ext types 1 to 3
 * @len:      its length in bytes
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  0.
 * Errors:   -EFBIG too long: the job fails with the code "too_large"; -EINVAL it is not one
 *           such value: the job fails with the code "bad_result"; -ENOMEM.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_result_encoded(poold_job *job, const void *encoded, size_t len);

/**
 * poold_job_result_buffer() - the result is a byte string that is written in place
 * @job:  the job
 * @len:  its size in bytes
 * @ret:  where to write; zeros at first
 *
 * Above 64 KiB this is shared memory from the beginning: what is written there reaches the
 * client without a copy. Pages are taken when they are written.
 *
 * Blocks:   no.
 * Owner:    the job's; writable until run() returns or another result call is made.
 * Returns:  0.
 * Errors:   -EFBIG over the job's largest result, or RLIMIT_FSIZE: the job fails with the code
 *           "too_large"; -ENOMEM.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_result_buffer(poold_job *job, size_t len, void **ret);

/**
 * poold_job_result_shorten() - the result written in place has fewer bytes than were asked for
 * @job:  the job
 * @len:  how many
 *
 * Blocks:   no.
 * Owner:    nothing changes hands; the buffer stays where it is.
 * Returns:  0.
 * Errors:   -EINVAL there is no such buffer, or it is smaller.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_result_shorten(poold_job *job, size_t len);

/**
 * poold_job_result_input() - the result is the input
 * @job:  the job
 *
 * Byte strings in shared memory go back as the same shared memory, and an input that is one long
 * byte string goes into such. After this call, poold_job_fd() no longer has the file descriptors
 * that went into the result.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  0.
 * Errors:   -EFBIG the encoding is longer than 64 KiB and no byte string, or the result over the job's largest:
 *           the job fails with the code "too_large"; -ENOMEM.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_result_input(poold_job *job);

/**
 * poold_job_fail() - the job fails
 * @job:     the job
 * @code:    a stable word for programs: lower-case letters, digits, '_', '-', '.', at most 64
 *           bytes; "failed" stands for any other. "exit", "signal", "too_large" and "cancelled"
 *           are poold's own
 * @format:  a sentence for people, as for printf(), in UTF-8; cut at 1024 bytes
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  always a negative number, so that run() can `return poold_job_fail(...)`.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_fail(poold_job *job, const char *code, const char *format, ...)
	POOLD_MODULE_PRINTF(3, 4);

/**
 * poold_job_fail_data() - the job fails, with data for programs
 * @job:      the job
 * @code:     as for poold_job_fail()
 * @message:  a sentence for people
 * @encoded:  the encoding of one MessagePack value, at most 16 KiB, without ext types 1 to 3
 * @len:      its length in bytes; data that breaks a rule is left out
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  always a negative number, as poold_job_fail().
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_fail_data(
	poold_job *job, const char *code, const char *message, const void *encoded, size_t len);

/**
 * poold_job_cancelled() - is the job to end?
 * @job:  the job
 *
 * Cheap enough for an inner loop: without a signal it reads one variable.
 *
 * Blocks:   no.
 * Owner:    nothing changes hands.
 * Returns:  1 yes, and it stays so; 0 no.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_cancelled(poold_job *job);

/**
 * poold_job_wait() - wait for time to pass or a file descriptor, or until the job is to end
 * @job:         the job
 * @fd:          what to wait for, or -1 for time alone
 * @events:      as for poll()
 * @timeout_us:  longest wait in microseconds, relative; UINT64_MAX waits for ever
 *
 * Unlike sleep() and poll() it misses no cancelling that comes between the question and the
 * wait.
 *
 * Blocks:   yes, up to @timeout_us.
 * Owner:    nothing changes hands.
 * Returns:  the events of @fd as poll() gives them, or 0 when the time is over.
 * Errors:   -ECANCELED the job is to end; those of poll().
 * Since:    0.1
 */
POOLD_MODULE_API int poold_job_wait(poold_job *job, int fd, short events, uint64_t timeout_us);

/**
 * poold_job_progress() - tell how far the job is
 * @job:    the job
 * @done:   what is done, in a unit of the function's choice
 * @total:  of how much, or 0 if that is not known
 * @text:   a few words for people, or NULL; cut at 256 bytes
 *
 * Meant to be called often: at most one in 20 ms is sent, and none if poold is behind with
 * reading. One with @done equal to @total is not held back.
 *
 * Blocks:   no.
 * Owner:    copied.
 * Returns:  nothing.
 * Errors:   none.
 * Since:    0.1
 */
POOLD_MODULE_API void poold_job_progress(
	poold_job *job, uint64_t done, uint64_t total, const char *text);

#ifdef __cplusplus
}
#endif

#endif
