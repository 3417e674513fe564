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

/* ---- on byte strings and numbers, by themselves or by the futures that give them ---- */

static int run_read8(poold_job *job)
{
	const void *bytes;
	uint64_t v = 0;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &bytes, &n);
	if (r < 0 || n < sizeof(v))
		return r < 0 ? r : -EINVAL;
	memcpy(&v, bytes, sizeof(v));
	return give_number(job, v);
}

static uint64_t sum_of(const uint8_t *bytes, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	return sum;
}

static int run_sum(poold_job *job)
{
	const void *bytes;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &bytes, &n);
	return r < 0 ? r : give_number(job, sum_of(bytes, n));
}

/* The number in the encoding at p. */
static bool decode_number(const uint8_t *p, size_t n, uint64_t *ret)
{
	msgpack_unpacked u;
	bool is_number;

	msgpack_unpacked_init(&u);
	is_number = msgpack_unpack_next(&u, (const char *)p, n, NULL) == MSGPACK_UNPACK_SUCCESS &&
		    u.data.type == MSGPACK_OBJECT_POSITIVE_INTEGER;
	if (is_number)
		*ret = u.data.via.u64;
	msgpack_unpacked_destroy(&u);
	return is_number;
}

static uint64_t future_id(const msgpack_object_ext *ext)
{
	uint64_t id = 0;

	for (uint32_t i = 0; i < ext->size; i++)
		id = id << 8 | (uint8_t)ext->ptr[i];
	return id;
}

static int add_one(poold_job *job, const msgpack_object *o, uint64_t *sum)
{
	const void *value;
	uint64_t v;
	size_t n;
	int r;

	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
		*sum += o->via.u64;
		return 0;
	}
	if (o->type != MSGPACK_OBJECT_EXT || o->via.ext.type != 2)
		return -EINVAL;
	r = poold_job_value(job, future_id(&o->via.ext), &value, &n);
	if (r < 0 || !decode_number(value, n, &v))
		return r < 0 ? r : -EINVAL;
	*sum += v;
	return 0;
}

static int run_add(poold_job *job)
{
	msgpack_unpacked u;
	const void *input;
	uint64_t sum = 0;
	size_t n;
	int r = -EINVAL;

	msgpack_unpacked_init(&u);
	input = poold_job_input(job, &n);
	if (msgpack_unpack_next(&u, input, n, NULL) == MSGPACK_UNPACK_SUCCESS &&
		u.data.type == MSGPACK_OBJECT_ARRAY) {
		r = 0;
		for (uint32_t i = 0; i < u.data.via.array.size && r == 0; i++)
			r = add_one(job, &u.data.via.array.ptr[i], &sum);
	}
	msgpack_unpacked_destroy(&u);
	return r < 0 ? r : give_number(job, sum);
}

/* Where a value ends, as far as concat needs to know: a byte string, or an ext that stands for one.
 */
static size_t head_of(const uint8_t *p, size_t left)
{
	static const uint8_t widths[] = {1, 2, 4};
	size_t n = 0, head;

	if (*p >= 0xa0 && *p <= 0xbf)
		return 1u + (*p & 0x1f);
	if (*p == 0xd4)
		return 3;
	if (*p == 0xd7)
		return 10;
	if ((*p < 0xc4 || *p > 0xc6) && (*p < 0xd9 || *p > 0xdb))
		return 0;
	head = 1u + widths[*p >= 0xd9 ? *p - 0xd9 : *p - 0xc4];
	for (size_t i = 1; i < head && i < left; i++)
		n = n << 8 | p[i];
	return head + n;
}

/* The number of elements of an array, and how long its head is; 0: it is none. */
static size_t array_head(const uint8_t *p, size_t n, size_t *ret_n)
{
	if (n >= 1 && (*p & 0xf0) == 0x90) {
		*ret_n = *p & 0x0f;
		return 1;
	}
	if (n >= 3 && *p == 0xdc) {
		*ret_n = (size_t)p[1] << 8 | p[2];
		return 3;
	}
	return 0;
}

static int run_concat(poold_job *job)
{
	const uint8_t *input, *p, *end;
	size_t n, n_parts, len, total = 0;
	const void *bytes;
	void *out = NULL;
	int r = 0;

	input = poold_job_input(job, &n);
	if (!array_head(input, n, &n_parts))
		return -EINVAL;
	end = input + n;
	for (int pass = 0; pass < 2 && r == 0; pass++) {
		p = input + array_head(input, n, &n_parts);
		for (total = 0; n_parts > 0 && r == 0; n_parts--) {
			len = p < end ? head_of(p, (size_t)(end - p)) : 0;
			r = len ? poold_job_bytes(job, p, (size_t)(end - p), &bytes, &n) : -EINVAL;
			if (r == 0 && pass > 0)
				memcpy((uint8_t *)out + total, bytes, n);
			total += r == 0 ? n : 0;
			p += len;
		}
		n = (size_t)(end - input);
		if (r == 0 && pass == 0)
			r = poold_job_result_buffer(job, total, &out);
	}
	return r;
}

/* What is kept of an object: the sum of its bytes. */
struct kept {
	uint64_t sum;
};

static unsigned n_set_up; /* in this worker */

/* The sum of the bytes of a future, set up once in a worker, and how often one was set up there. */
static int run_kept(poold_job *job)
{
	struct kept *k = NULL;
	const void *bytes;
	uint64_t id;
	size_t n;
	int r;

	if (poold_job_values(job, &id, 1) != 1)
		return -EINVAL;
	k = poold_job_kept(job, id);
	if (k)
		return give_number(job, k->sum << 32 | n_set_up);
	r = poold_job_input_bytes(job, &bytes, &n);
	if (r < 0)
		return r;
	k = malloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->sum = sum_of(bytes, n);
	n_set_up++;
	r = poold_job_keep(job, id, k, sizeof(*k), free);
	if (r < 0) {
		free(k);
		return r;
	}
	return give_number(job, k->sum << 32 | n_set_up);
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
	{"read8", POOLD_FUNCTION_PURE, "Reads the first 8 bytes of a byte string as a number.",
		run_read8},
	{"sum", POOLD_FUNCTION_PURE, "Adds up the bytes of a byte string.", run_sum},
	{"add", POOLD_FUNCTION_PURE, "Adds up an array of numbers.", run_add},
	{"concat", POOLD_FUNCTION_PURE, "Puts an array of byte strings together.", run_concat},
	{"kept", POOLD_FUNCTION_PURE,
		"As sum, of a future's value, times 2^32, plus how often this worker did it.",
		run_kept},
	{NULL, 0, NULL, NULL},
};

const struct poold_module poold_module = {
	.abi = POOLD_MODULE_ABI,
	.name = "bench",
	.functions = functions,
};
