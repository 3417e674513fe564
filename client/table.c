/* Open addressing with linear probing; a slot is freed by moving back what follows, so there are no
 * tombstones and a table that is used for ever does not decay. Keys are counters (msgids, IDs):
 * multiplying by the golden ratio scatters them, since two runs of neighbours that met would make
 * each other's chains as long as a run. */
#include "client/table.h"

#include <errno.h>
#include <string.h>

#define FIRST_SIZE 16u

static size_t home_of(const struct cl_table *t, uint64_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (t->size - 1);
}

void cl_table_deinit(struct cl_table *t)
{
	free(t->slots);
	*t = (struct cl_table){};
}

static void put(struct cl_table *t, uint64_t key, void *value)
{
	size_t i = home_of(t, key);

	while (t->slots[i].value)
		i = (i + 1) & (t->size - 1);
	t->slots[i] = (struct cl_slot){key, value};
}

int cl_table_reserve(struct cl_table *t, size_t n)
{
	struct cl_table grown = {.size = t->size ? t->size : FIRST_SIZE, .n = t->n};

	/* at most half full; 2^32 slots are more than msgids can be under way */
	if (n > UINT32_MAX / 2 - t->n)
		return -ENOMEM;
	while (grown.size / 2 < t->n + n)
		grown.size *= 2;
	if (grown.size == t->size)
		return 0;
	grown.slots = calloc(grown.size, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].value)
			put(&grown, t->slots[i].key, t->slots[i].value);
	free(t->slots);
	*t = grown;
	return 0;
}

void cl_table_add(struct cl_table *t, uint64_t key, void *value)
{
	put(t, key, value);
	t->n++;
}

/* The slot with that key, and that value unless it is NULL; t->size if there is none. */
static size_t find_slot(const struct cl_table *t, uint64_t key, const void *value)
{
	if (t->n == 0)
		return t->size;
	for (size_t i = home_of(t, key); t->slots[i].value; i = (i + 1) & (t->size - 1))
		if (t->slots[i].key == key && (!value || t->slots[i].value == value))
			return i;
	return t->size;
}

void *cl_table_find(const struct cl_table *t, uint64_t key)
{
	size_t i = find_slot(t, key, NULL);

	return i < t->size ? t->slots[i].value : NULL;
}

/* Frees slot i: whatever follows without a gap and may stand there moves back. */
static void free_slot(struct cl_table *t, size_t i)
{
	size_t mask = t->size - 1;

	for (size_t j = (i + 1) & mask; t->slots[j].value; j = (j + 1) & mask) {
		size_t home = home_of(t, t->slots[j].key);

		if (((j - home) & mask) >= ((j - i) & mask)) {
			t->slots[i] = t->slots[j];
			i = j;
		}
	}
	t->slots[i].value = NULL;
	t->n--;
}

void *cl_table_take(struct cl_table *t, uint64_t key)
{
	size_t i = find_slot(t, key, NULL);
	void *value;

	if (i == t->size)
		return NULL;
	value = t->slots[i].value;
	free_slot(t, i);
	return value;
}

void cl_table_remove(struct cl_table *t, uint64_t key, void *value)
{
	size_t i = find_slot(t, key, value);

	if (i < t->size)
		free_slot(t, i);
}
