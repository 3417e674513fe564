#include "daemon/worker/exec.h"

#include <stddef.h>
#include <errno.h>

static int run_exec(poold_job *job)
{
	return -ENOSYS;
}

static const struct poold_function functions[] = {
	{"exec", 0, "Runs a command.", run_exec},
	{NULL, 0, NULL, NULL},
};

static const struct poold_module handler = {
	.abi = POOLD_MODULE_ABI,
	.name = "exec",
	.functions = functions,
};

const struct poold_module *exec_handler(uint64_t output_bytes)
{
	return &handler;
}
