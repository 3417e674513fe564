#include "daemon/worker/resource.h"

#include <sys/resource.h>

#include "proto/base.h"
#include "proto/text.h"

static const struct resource resources[] = {
	{"as", RLIMIT_AS},
	{"core", RLIMIT_CORE},
	{"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},
	{"fsize", RLIMIT_FSIZE},
	{"memlock", RLIMIT_MEMLOCK},
	{"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},
	{"stack", RLIMIT_STACK},
};

const struct resource *resource_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (text_equal(name, len, resources[i].name))
			return &resources[i];
	return NULL;
}
