#include "tests/lib/fault.h"

#include <stddef.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static unsigned countdown;
static unsigned rate;
static unsigned long long noise;
static bool was_hit;

void fault_alloc_at(unsigned n)
{
	countdown = n;
	was_hit = false;
}

void fault_alloc_rate(unsigned n, unsigned long long seed)
{
	rate = n;
	noise = seed | 1;
	was_hit = false;
}

bool fault_end(void)
{
	countdown = 0;
	rate = 0;
	return was_hit;
}

static bool fails(void)
{
	bool hit = countdown && --countdown == 0;

	if (rate) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		hit |= noise % rate == 0;
	}
	was_hit |= hit;
	return hit;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = __wrap_malloc(size);

	return copy ? memcpy(copy, s, size) : NULL;
}
