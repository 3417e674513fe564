/* Chains, as many as there may be nodes. Keys are counters (msgids, IDs), so neighbours have chains
 * that are neighbours: who comes next lies in the cache line that was read before, and most chains
 * have one node. What is above CL_RUN_BITS of a key scatters these runs, since the IDs of one
 * client among many can have a stride. */
#include "client/table.h"

#include <errno.h>

#define FIRST_SIZE 16u

void cl_table_deinit(struct cl_table *t)
{
	free(t->chains);
	*t = (struct cl_table){};
}

int cl_table_grow(struct cl_table *t, size_t n)
{
	struct cl_table grown = {.size = t->size ? t->size : FIRST_SIZE};
	struct cl_node *node;
	size_t at = 0, want = t->n + n;

	/* 2^32 are more than msgids can be under way */
	if (n > UINT32_MAX - t->n)
		return -ENOMEM;
	while (grown.size < want)
		grown.size *= 2;
	grown.chains = calloc(grown.size, sizeof(struct cl_node *));
	if (!grown.chains)
		return -ENOMEM;
	while ((node = cl_table_take_any(t, &at)))
		cl_table_add(&grown, node->key, node);
	free(t->chains);
	*t = grown;
	return 0;
}

void cl_table_remove(struct cl_table *t, struct cl_node *node)
{
	struct cl_node **at = cl_table_place(t, node->key);

	while (*at != node)
		at = &(*at)->next;
	cl_table_take_at(t, at);
}

struct cl_node *cl_table_take_any(struct cl_table *t, size_t *at)
{
	while (*at < t->size && !t->chains[*at])
		++*at;
	return *at < t->size ? cl_table_take_at(t, &t->chains[*at]) : NULL;
}
