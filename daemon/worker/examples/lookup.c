/* A module that answers queries on a table which clients put once: client/examples/table.c does.
 *
 * The table is a byte string of records, ordered by key. What a worker decodes of it, the first key
 * of each page, is made by the first query that it runs, and kept for those that follow: one of
 * them then touches a single page of the table, which all workers share. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <poold-module.h>

#define PAGE_RECORDS 256u

struct record {
	uint64_t key, value;
};

struct table {
	size_t n_pages;
	uint64_t first_keys[];
};

/* Of one future's value, which stays as it is as long as the future's ID means anything. */
static int decode(
	poold_job *job, uint64_t id, const struct record *records, size_t n, struct table **ret)
{
	size_t n_pages = (n + PAGE_RECORDS - 1) / PAGE_RECORDS;
	size_t bytes = sizeof(struct table) + n_pages * sizeof(uint64_t);
	struct table *t = malloc(bytes);
	int r;

	if (!t)
		return -ENOMEM;
	t->n_pages = n_pages;
	for (size_t i = 0; i < n_pages; i++)
		t->first_keys[i] = records[i * PAGE_RECORDS].key;
	r = poold_job_keep(job, id, t, bytes, free);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

static const struct record *find(
	const struct table *t, const struct record *records, size_t n, uint64_t key)
{
	size_t low = 0, high = t->n_pages, end;

	/* the last page that does not begin after the key */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (t->first_keys[middle] <= key)
			low = middle;
		else
			high = middle;
	}
	low *= PAGE_RECORDS;
	end = low + PAGE_RECORDS < n ? low + PAGE_RECORDS : n;
	for (; low < end; low++)
		if (records[low].key == key)
			return &records[low];
	return NULL;
}

/* The input is [table, key]: an array of two, ext type 2 with the ID, and a uint 64. */
static int read_input(poold_job *job, uint64_t *ret_id, uint64_t *ret_key)
{
	const unsigned char *in;
	size_t len;

	in = poold_job_input(job, &len);
	if (poold_job_values(job, ret_id, 1) != 1 || len != 20 || in[0] != 0x92 || in[11] != 0xcf)
		return -EINVAL;
	*ret_key = 0;
	for (int i = 12; i < 20; i++)
		*ret_key = *ret_key << 8 | in[i];
	return 0;
}

static int give_number(poold_job *job, uint64_t n)
{
	unsigned char encoded[9] = {0xcf};

	for (int i = 8; i > 0; i--, n >>= 8)
		encoded[i] = (unsigned char)n;
	return poold_job_result_encoded(job, encoded, sizeof(encoded));
}

static int run_find(poold_job *job)
{
	const struct record *found;
	const void *encoded, *bytes;
	struct table *t;
	uint64_t id, key;
	size_t len;
	int r;

	r = read_input(job, &id, &key);
	if (r < 0)
		return poold_job_fail(job, "bad_input", "The input is [table, key]");
	r = poold_job_value(job, id, &encoded, &len);
	if (r == 0)
		r = poold_job_bytes(job, encoded, len, &bytes, &len);
	if (r < 0)
		return r;
	t = poold_job_kept(job, id);
	if (!t)
		r = decode(job, id, bytes, len / sizeof(struct record), &t);
	if (r < 0)
		return r;
	found = find(t, bytes, len / sizeof(struct record), key);
	if (!found)
		return poold_job_fail(job, "not_found", "The table does not have that key");
	return give_number(job, found->value);
}

static const struct poold_function functions[] = {
	{"find", POOLD_FUNCTION_PURE, "Gives the value of a key: [table, key].", run_find},
	{NULL, 0, NULL, NULL},
};

const struct poold_module poold_module = {
	.abi = POOLD_MODULE_ABI,
	.name = "lookup",
	.functions = functions,
};
