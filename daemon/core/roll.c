/* IDs count up, so what is in use lies close together: a bit each, in leaves of 64, which stand in
 * an array by their place in the order. A future costs a quarter of a byte where all its neighbours
 * live, and 16 bytes where none does, beside what is there to grow. A list through the futures
 * themselves cost 16 always.
 *
 * There is nothing to be held while somebody goes through: he asks again with the ID that he saw
 * last, whether that is still in use or not, and whosever the futures are. So a page of a list of a
 * million futures begins where the last one ended, and the number of owners does not count.
 *
 * A search is a look at the last place, then a guess from the end, which is right where there are
 * no gaps, then a binary search. Leaves that became empty stay until they are a quarter of all, so
 * removing is O(1) on the whole, and going past them is no more than going through the others.
 */
#include "daemon/core/roll.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define LEAF_IDS  64u
#define LEAST	  64u /* leaves that there is room for */
#define BIT(id)	  (1ull << ((id) % LEAF_IDS))
#define BELOW(id) (BIT(id) - 1)

void roll_deinit(struct roll *r)
{
	free(r->leaves);
	*r = (struct roll){0};
}

static int resize(struct roll *r, uint32_t size)
{
	struct roll_leaf *leaves = realloc(r->leaves, size * sizeof(*leaves));

	if (!leaves)
		return -ENOMEM;
	r->leaves = leaves;
	r->size = size;
	return 0;
}

int roll_reserve(struct roll *r)
{
	if (r->n < r->size)
		return 0;
	return resize(r, r->size ? r->size * 2 : LEAST);
}

/* The first leaf that is not before this block; n: none. */
static uint32_t find(struct roll *r, uint64_t block)
{
	uint32_t low = 0, high = r->n;
	uint64_t to_last;

	if (r->at < r->n && r->leaves[r->at].block == block)
		return r->at;
	if (r->n == 0 || r->leaves[r->n - 1].block < block)
		return r->n;
	/* With gaps behind it, it stands further up. */
	to_last = r->leaves[r->n - 1].block - block;
	if (to_last < r->n)
		low = r->n - 1 - (uint32_t)to_last;
	if (r->leaves[low].block >= block)
		return low;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (r->leaves[middle].block < block)
			low = middle;
		else
			high = middle;
	}
	return high;
}

void roll_add(struct roll *r, uint64_t id)
{
	struct roll_leaf *last = r->n ? &r->leaves[r->n - 1] : NULL;

	if (!last || last->block != id / LEAF_IDS) {
		assert(r->n < r->size && (!last || last->block < id / LEAF_IDS));
		last = &r->leaves[r->n++];
		*last = (struct roll_leaf){.block = id / LEAF_IDS};
	}
	assert(last->bits < BIT(id));
	last->bits |= BIT(id);
}

static void drop_empty(struct roll *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->leaves[i].bits)
			r->leaves[n++] = r->leaves[i];
	r->n = n;
	r->n_empty = 0;
	/* Without memory to shrink it stays as it is. */
	if (r->size / 4 > n && r->size > LEAST)
		(void)!resize(r, r->size / 2);
}

void roll_remove(struct roll *r, uint64_t id)
{
	uint32_t at = find(r, id / LEAF_IDS);
	struct roll_leaf *leaf = &r->leaves[at];

	assert(at < r->n && leaf->block == id / LEAF_IDS && leaf->bits & BIT(id));
	r->at = at;
	leaf->bits &= ~BIT(id);
	if (leaf->bits)
		return;
	r->n_empty++;
	/* Who takes the youngest first does not go past those that he has had. */
	for (; r->n && !r->leaves[r->n - 1].bits; r->n--)
		r->n_empty--;
	if (r->n_empty > r->n / 4)
		drop_empty(r);
}

static uint64_t found(struct roll *r, uint32_t at, unsigned bit)
{
	r->at = at;
	return r->leaves[at].block * LEAF_IDS + bit;
}

uint64_t roll_older(struct roll *r, uint64_t id)
{
	uint32_t at = find(r, id / LEAF_IDS);
	uint64_t bits = 0;

	if (at < r->n && r->leaves[at].block == id / LEAF_IDS)
		bits = r->leaves[at].bits & BELOW(id);
	while (!bits) {
		if (at == 0)
			return 0;
		bits = r->leaves[--at].bits;
	}
	return found(r, at, LEAF_IDS - 1 - (unsigned)__builtin_clzll(bits));
}

uint64_t roll_newer(struct roll *r, uint64_t id)
{
	uint32_t at = find(r, id / LEAF_IDS);
	uint64_t bits;

	if (at == r->n)
		return 0;
	bits = r->leaves[at].bits;
	if (r->leaves[at].block == id / LEAF_IDS)
		bits &= ~(BELOW(id) | BIT(id));
	while (!bits) {
		if (++at == r->n)
			return 0;
		bits = r->leaves[at].bits;
	}
	return found(r, at, (unsigned)__builtin_ctzll(bits));
}
