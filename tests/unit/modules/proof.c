/* A module that uses every function of poold-module.h, in the ways that bench and digest do not. */
#include <errno.h>
#include <poll.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/worker/poold-module.h"

static int preloaded_in, initialised_in;

static int preload(void)
{
	preloaded_in = (int)getpid();
	return 0;
}

static int init(void)
{
	initialised_in = (int)getpid();
	return 0;
}

static void fini(void)
{
	puts("fini was here");
}

/* The input as a number: fixint, or uint 16 or 32. */
static size_t number(poold_job *job)
{
	const unsigned char *p;
	size_t n, v = 0;

	p = poold_job_input(job, &n);
	if (p[0] < 0x80)
		return p[0];
	for (size_t i = 1; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int run_about(poold_job *job)
{
	const char *trace;
	char text[256];
	size_t n;
	int len;

	trace = poold_job_trace(job, &n);
	len = snprintf(text, sizeof(text), "%llu %u %u %s %.*s %d %d",
		(unsigned long long)poold_job_id(job), poold_job_attempt(job), poold_job_uid(job),
		poold_job_pool(job), (int)n, trace,
		preloaded_in != 0 && preloaded_in != (int)getpid(),
		initialised_in == (int)getpid());
	return poold_job_result_text(job, text, (size_t)len);
}

/* Asks for that many bytes, writes 'a' into all, keeps half. */
static int run_half(poold_job *job)
{
	size_t n = number(job);
	void *p;
	int r;

	r = poold_job_result_buffer(job, n, &p);
	if (r < 0)
		return r;
	memset(p, 'a', n);
	if (poold_job_result_shorten(job, n + 1) != -EINVAL)
		return -EBADE;
	return poold_job_result_shorten(job, n / 2);
}

static int run_bytes(poold_job *job)
{
	size_t n = number(job);
	char *p = calloc(1, n + 1);
	int r;

	if (!p)
		return -ENOMEM;
	r = poold_job_result_bytes(job, p, n);
	free(p);
	return r;
}

/* The input's bytes are the encoding of the result. */
static int run_encoded(poold_job *job)
{
	const void *p;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &p, &n);
	return r < 0 ? r : poold_job_result_encoded(job, p, n);
}

/* Ignores that a result is refused, and sets another one. */
static int run_stubborn(poold_job *job)
{
	static const char large[65537];

	poold_job_result_encoded(job, large, sizeof(large));
	poold_job_result_text(job, "no", 2);
	return 0;
}

static int run_replaced(poold_job *job)
{
	void *p;

	if (poold_job_result_buffer(job, 100000, &p) < 0)
		return -ENOMEM;
	return poold_job_result_text(job, "last", 4);
}

static int run_fail_data(poold_job *job)
{
	const void *p;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &p, &n);
	return r < 0 ? r : poold_job_fail_data(job, "with_data", "It has data", p, n);
}

/* A number: so many zeros. Bytes: fails with these as data. */
static int run_zeros_or_data(poold_job *job)
{
	const void *p;
	size_t n;

	return poold_job_input_bytes(job, &p, &n) == 0 ? run_fail_data(job) : run_bytes(job);
}

static int run_fail_badly(poold_job *job)
{
	return poold_job_fail(job, "No Code!", "%s", "but a message");
}

static int run_errno(poold_job *job)
{
	return -ENOTDIR;
}

/* [bytes, bytes]: joined. */
static int run_join(poold_job *job)
{
	const unsigned char *input;
	const void *a, *b;
	size_t n, a_len, b_len;
	char *p;
	void *q;
	int r;

	input = poold_job_input(job, &n);
	if (n < 3 || input[0] != 0x92)
		return -EINVAL;
	/* ext types 1 and 2 have 3 and 10 bytes */
	r = poold_job_bytes(job, input + 1, n - 1, &a, &a_len);
	if (r == 0) {
		size_t step = input[1] == 0xd4 ? 3 : input[1] == 0xd7 ? 10 : 1 + a_len;

		r = poold_job_bytes(job, input + 1 + step, n - 1 - step, &b, &b_len);
	}
	if (r == 0)
		r = poold_job_result_buffer(job, a_len + b_len, &q);
	if (r < 0)
		return r;
	p = q;
	memcpy(p, a, a_len);
	memcpy(p + a_len, b, b_len);
	return 0;
}

/* Sizes of what the fds stand for, and that of the future 9. */
static int run_look(poold_job *job)
{
	struct stat st;
	char text[128];
	const void *p;
	size_t n = 0;
	int len, fd = poold_job_fd(job, 0);

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (poold_job_fd(job, 1) != -ENOENT || poold_job_map(job, 1, &p, &n) != -ENOENT)
		return -EBADE;
	if (poold_job_value(job, 8, &p, &n) != -ENOENT || poold_job_value(job, 9, &p, &n) < 0)
		return -EBADE;
	len = snprintf(text, sizeof(text), "%lld %zu", (long long)st.st_size, n);
	return poold_job_result_text(job, text, (size_t)len);
}

static int run_progress(poold_job *job)
{
	for (unsigned i = 0; i < 100; i++)
		poold_job_progress(job, i, 100, "on the way");
	poold_job_progress(job, 100, 100, NULL);
	return 0;
}

/* Waits for ever; cancelling ends it. */
static int run_inattentive(poold_job *job)
{
	poold_job_progress(job, 1, 1, "waits");
	poll(NULL, 0, 1000);
	return 0;
}

static int run_wait(poold_job *job)
{
	int r = poold_job_wait(job, -1, 0, UINT64_MAX);

	return poold_job_fail(job, "waited", "%d %d", r == -ECANCELED, poold_job_cancelled(job));
}

/* Tells that it runs, then spins until it is cancelled. */
static int run_spin_until_cancelled(poold_job *job)
{
	poold_job_progress(job, 1, 1, "spinning");
	while (!poold_job_cancelled(job))
		;
	return poold_job_result_text(job, "cancelled", 9);
}

/* Deeper than any stack, not deep enough for a compiler to call it endless. */
static int overflow(volatile char *below, unsigned depth)
{
	volatile char here[4096];

	here[0] = *below;
	return depth == 0 ? 0 : overflow(here, depth - 1) + here[0];
}

static int run_leak(poold_job *job)
{
	static void *volatile kept[1024];
	static unsigned n;

	kept[n] = malloc(1 << 20);
	if (!kept[n] || n + 1 == 1024)
		return -ENOMEM;
	memset(kept[n++], 1, 1 << 20);
	return 0;
}

static int run_overflow(poold_job *job)
{
	volatile char here = 0;

	return overflow(&here, UINT_MAX);
}

static const struct poold_function functions[] = {
	{"about", 0, "Tells about the job.", run_about},
	{"half", 0, "Result in place, shortened.", run_half},
	{"bytes", 0, "That many zeros.", run_bytes},
	{"encoded", 0, "The bytes are the result's encoding.", run_encoded},
	{"stubborn", 0, "Goes on after a refusal.", run_stubborn},
	{"replaced", 0, "Sets the result twice.", run_replaced},
	{"fail_data", 0, "Fails with data.", run_fail_data},
	{"zeros_or_data", 0, "That many zeros, or fails with data.", run_zeros_or_data},
	{"fail_badly", 0, "Fails with a code that is none.", run_fail_badly},
	{"errno", 0, "Returns an error.", run_errno},
	{"join", POOLD_FUNCTION_PURE, "Joins two byte strings.", run_join},
	{"look", 0, "Looks at fds and values.", run_look},
	{"progress", 0, "Tells its progress a hundred times.", run_progress},
	{"wait", 0, "Waits until it is cancelled.", run_wait},
	{"inattentive", 0, "Waits until a bell rings, or a second, and does not care for whom.",
		run_inattentive},
	{"spin_until_cancelled", 0, "Spins until it is cancelled.", run_spin_until_cancelled},
	{"overflow", 0, "Overflows its stack.", run_overflow},
	{"leak", 0, "Keeps a mebibyte for ever.", run_leak},
	{NULL, 0, NULL, NULL},
};

const struct poold_module poold_module = {
	.abi = POOLD_MODULE_ABI,
	.name = "proof",
	.functions = functions,
	.preload = preload,
	.init = init,
	.fini = fini,
};
