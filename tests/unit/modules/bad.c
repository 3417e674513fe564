/* Modules that poold-worker has to refuse: one for each BAD_… that is defined. */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/worker/poold-module.h"

#ifndef BAD_SYMBOL

#ifndef BAD_NO_FUNCTIONS
static int run_nothing(poold_job *job)
{
	return 0;
}
#endif

#ifdef BAD_PRELOAD_ABORTS
static int preload(void)
{
	abort();
}
#endif

#ifdef BAD_INIT_ABORTS
static int init(void)
{
	fprintf(stderr, "no licence for this\n");
	abort();
}
#endif

#ifdef BAD_PRELOAD_FAILS
static int preload(void)
{
	return -ENOTDIR;
}
#endif

#if defined(BAD_THREAD_AT_LOAD) || defined(BAD_THREAD_IN_PRELOAD)
static void *__attribute__((noreturn)) wait_for_ever(void *arg)
{
	for (;;)
		pause();
}

static int start_thread(void)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, wait_for_ever, NULL);
}
#endif

#ifdef BAD_THREAD_AT_LOAD
static void __attribute__((constructor)) at_load(void)
{
	if (start_thread() < 0)
		abort();
}
#endif

#ifdef BAD_THREAD_IN_PRELOAD
static int preload(void)
{
	return start_thread();
}
#endif

static const struct poold_function functions[] = {
#if defined(BAD_FUNCTION_NAME)
	{"no thing", 0, "Does nothing.", run_nothing},
#elif defined(BAD_FUNCTION_DOC)
	{"nothing", 0, "Does\nnothing.", run_nothing},
#elif defined(BAD_FUNCTION_FLAGS)
	{"nothing", 0x80, "Does nothing.", run_nothing},
#elif !defined(BAD_NO_FUNCTIONS)
	{"nothing", 0, "Does nothing.", run_nothing},
#endif
#ifdef BAD_FUNCTION_TWICE
	{"nothing", 0, "Does nothing.", run_nothing},
#endif
	{NULL, 0, NULL, NULL},
};

const struct poold_module poold_module = {
#ifdef BAD_ABI
	.abi = POOLD_MODULE_ABI + 1,
#else
	.abi = POOLD_MODULE_ABI,
#endif
	.name = "bad",
	.functions = functions,
#if defined(BAD_PRELOAD_ABORTS) || defined(BAD_PRELOAD_FAILS) || defined(BAD_THREAD_IN_PRELOAD)
	.preload = preload,
#endif
#ifdef BAD_INIT_ABORTS
	.init = init,
#endif
};

#endif
