/* Chains, as many as there may be nodes. Keys are counters (msgids, IDs), so neighbours have chains that
 * are neighbours: who comes next lies in the cache line that was read before, and most chains have
 * one node. What is above RUN_BITS of a key scatters these runs, since the IDs of one client among
 * many can have a stride. */
#include "client/table.h"

#include <errno.h>

#define FIRST_SIZE 16u
#define RUN_BITS   10

static struct cl_node **chain_of(const struct cl_table *t, uint64_t key)
{
	uint64_t scattered = (key >> RUN_BITS) * 0x9e3779b97f4a7c15u >> 32;

	return &t->chains[(key + scattered) & (t->size - 1)];
}

void cl_table_deinit(struct cl_table *t)
{
	free(t->chains);
	*t = (struct cl_table){};
}

static void put(struct cl_table *t, struct cl_node *node)
{
	struct cl_node **at = chain_of(t, node->key);

	while (*at)
		at = &(*at)->next;
	*at = node;
	node->next = NULL;
}

int cl_table_grow(struct cl_table *t, size_t n)
{
	struct cl_table grown = {.size = t->size ? t->size : FIRST_SIZE, .n = t->n};
	struct cl_node *node;
	size_t at = 0;

	/* 2^32 are more than msgids can be under way */
	if (n > UINT32_MAX - t->n)
		return -ENOMEM;
	while (grown.size < t->n + n)
		grown.size *= 2;
	grown.chains = calloc(grown.size, sizeof(struct cl_node *));
	if (!grown.chains)
		return -ENOMEM;
	while ((node = cl_table_take_any(t, &at)))
		put(&grown, node);
	free(t->chains);
	*t = grown;
	return 0;
}

void cl_table_add(struct cl_table *t, uint64_t key, struct cl_node *node)
{
	node->key = key;
	put(t, node);
	t->n++;
}

/* Where the first one of that key hangs, or the end of its chain. */
static struct cl_node **find(const struct cl_table *t, uint64_t key)
{
	struct cl_node **at = chain_of(t, key);

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

static struct cl_node *take_at(struct cl_table *t, struct cl_node **at)
{
	struct cl_node *node = *at;

	if (node) {
		*at = node->next;
		t->n--;
	}
	return node;
}

struct cl_node *cl_table_find(const struct cl_table *t, uint64_t key)
{
	return t->n > 0 ? *find(t, key) : NULL;
}

struct cl_node *cl_table_take(struct cl_table *t, uint64_t key)
{
	return t->n > 0 ? take_at(t, find(t, key)) : NULL;
}

void cl_table_remove(struct cl_table *t, struct cl_node *node)
{
	struct cl_node **at = find(t, node->key);

	while (*at != node)
		at = &(*at)->next;
	take_at(t, at);
}

struct cl_node *cl_table_take_any(struct cl_table *t, size_t *at)
{
	while (*at < t->size && !t->chains[*at])
		++*at;
	return *at < t->size ? take_at(t, &t->chains[*at]) : NULL;
}
