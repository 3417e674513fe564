/* Functions that do next to nothing, or fail in a known way: for tests and measurements. */
#include <errno.h>
#include <msgpack.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/worker/poold-module.h"

static int run_echo(poold_job *job)
{
	return poold_job_result_input(job);
}

static int run_noop(poold_job *job)
{
	return 0;
}

/* The input as a number; else the job has failed. */
static bool get_number(poold_job *job, uint64_t *ret)
{
	msgpack_unpacked u;
	const void *input;
	bool is_number;
	size_t n;

	msgpack_unpacked_init(&u);
	input = poold_job_input(job, &n);
	is_number = msgpack_unpack_next(&u, input, n, NULL) == MSGPACK_UNPACK_SUCCESS &&
		    u.data.type == MSGPACK_OBJECT_POSITIVE_INTEGER;
	if (is_number)
		*ret = u.data.via.u64;
	else
		poold_job_fail(job, "bad_input", "The input is a whole number, 0 or more");
	msgpack_unpacked_destroy(&u);
	return is_number;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static int fail_cancelled(poold_job *job)
{
	return poold_job_fail(job, "stopped", "The function was told to end");
}

static int run_spin(poold_job *job)
{
	uint64_t us, end_us;

	if (!get_number(job, &us))
		return -EINVAL;
	end_us = now_us() + us;
	while (now_us() < end_us) {
		if (poold_job_cancelled(job))
			return fail_cancelled(job);
	}
	return 0;
}

static int run_sleep(poold_job *job)
{
	uint64_t us;
	int r;

	if (!get_number(job, &us))
		return -EINVAL;
	r = poold_job_wait(job, -1, 0, us);
	return r == -ECANCELED ? fail_cancelled(job) : r;
}

/* Gives the number back, encoded as uint 64. */
static int give_number(poold_job *job, uint64_t n)
{
	uint8_t encoded[9] = {0xcf};

	for (unsigned i = 0; i < 8; i++)
		encoded[1 + i] = (uint8_t)(n >> (56 - 8 * i));
	return poold_job_result_encoded(job, encoded, sizeof(encoded));
}

static int run_alloc(poold_job *job)
{
	volatile uint8_t *p;
	uint64_t n;

	if (!get_number(job, &n))
		return -EINVAL;
	p = n <= PTRDIFF_MAX ? malloc(n ? (size_t)n : 1) : NULL;
	if (!p)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i += 4096)
		p[i] = 1;
	free((void *)p);
	return give_number(job, n);
}

/* Of a byte string the first eight bytes: what it costs to be given much and to look at little. */
static int run_peek(poold_job *job)
{
	const void *bytes;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &bytes, &n);
	if (r == -EINVAL)
		return poold_job_fail(job, "bad_input", "The input is a byte string");
	return r < 0 ? r : poold_job_result_bytes(job, bytes, n < 8 ? n : 8);
}

/* So many bytes, written where they stay. */
static int run_fill(poold_job *job)
{
	void *bytes;
	uint64_t n;
	int r;

	if (!get_number(job, &n))
		return -EINVAL;
	r = poold_job_result_buffer(job, n, &bytes);
	if (r == 0)
		memset(bytes, 'x', n);
	return r;
}

static int run_crash(poold_job *job)
{
	uint64_t signo;

	if (!get_number(job, &signo))
		return -EINVAL;
	if (signo < 1 || signo > (uint64_t)SIGRTMAX)
		return poold_job_fail(job, "bad_input", "The input is the number of a signal");
	raise((int)signo);
	return 0;
}

static int run_exit(poold_job *job)
{
	uint64_t code;

	if (!get_number(job, &code))
		return -EINVAL;
	if (code > 255)
		return poold_job_fail(job, "bad_input", "The input is an exit code, 0 to 255");
	exit((int)code);
}

static char *get_string(const msgpack_object *o)
{
	return o->type == MSGPACK_OBJECT_STR ? strndup(o->via.str.ptr, o->via.str.size) : NULL;
}

static int run_fail(poold_job *job)
{
	char *code = NULL, *message = NULL;
	msgpack_unpacked u;
	const void *input;
	size_t n;
	int r;

	msgpack_unpacked_init(&u);
	input = poold_job_input(job, &n);
	if (msgpack_unpack_next(&u, input, n, NULL) == MSGPACK_UNPACK_SUCCESS &&
		u.data.type == MSGPACK_OBJECT_ARRAY && u.data.via.array.size == 2) {
		code = get_string(&u.data.via.array.ptr[0]);
		message = get_string(&u.data.via.array.ptr[1]);
	}
	if (code && message)
		r = poold_job_fail(job, code, "%s", message);
	else
		r = poold_job_fail(job, "bad_input", "The input is [code, message]");
	free(code);
	free(message);
	msgpack_unpacked_destroy(&u);
	return r;
}

static const struct poold_function functions[] = {
	{"echo", POOLD_FUNCTION_PURE, "Gives its input back.", run_echo},
	{"noop", POOLD_FUNCTION_PURE, "Does nothing, gives nil.", run_noop},
	{"noop_serial", 0, "As noop, but is not declared pure.", run_noop},
	{"spin", 0, "Keeps a processor busy for that many microseconds.", run_spin},
	{"sleep", 0, "Sleeps that many microseconds.", run_sleep},
	{"alloc", 0, "Takes and touches that many bytes of memory, gives the number back.",
		run_alloc},
	{"peek", 0, "Gives the first eight bytes of a byte string.", run_peek},
	{"fill", 0, "Gives that many bytes, written in place.", run_fill},
	{"crash", 0, "Raises the signal of that number.", run_crash},
	{"exit", 0, "Ends the worker with that exit code.", run_exit},
	{"fail", 0, "Fails with [code, message].", run_fail},
	{NULL, 0, NULL, NULL},
};

const struct poold_module poold_module = {
	.abi = POOLD_MODULE_ABI,
	.name = "bench",
	.functions = functions,
};
