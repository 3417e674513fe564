/* A table is put once and asked many times: it is built where it stays, nothing of it is ever
 * copied, and what a worker decodes of it is decoded once in that worker.
 *
 *	./table 256 1000
 *
 * puts a table of 256 MiB and runs 1000 queries on it. Needs a pool "lookup" with the module
 * daemon/worker/examples/lookup. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poold-request.h>
#include <poold.h>

#define ENCODED_BYTES 20u
#define BATCH	      500u

struct record {
	uint64_t key, value;
};

static uint64_t key_of(uint64_t i)
{
	return 3 * i + 1;
}

static uint64_t value_of(uint64_t key)
{
	return key * UINT64_C(0x9e3779b97f4a7c15);
}

static int put_table(poold *p, size_t n, poold_future **ret)
{
	poold_buffer *buffer;
	struct record *records;
	int r;

	r = poold_buffer_new(&buffer, n * sizeof(*records));
	if (r < 0)
		return r;
	records = poold_buffer_get_data(buffer);
	for (size_t i = 0; i < n; i++)
		records[i] = (struct record){key_of(i), value_of(key_of(i))};
	r = poold_put(p, poold_input_buffer(buffer), NULL, ret);
	poold_buffer_free(buffer);
	if (r < 0)
		return r;
	r = poold_future_wait_id(*ret, POOLD_FOREVER);
	if (r <= 0) {
		poold_future_unref(*ret);
		return r < 0 ? r : -EREMOTEIO;
	}
	return 0;
}

static void encode_number(unsigned char *at, uint64_t n)
{
	for (int i = 7; i >= 0; i--, n >>= 8)
		at[i] = (unsigned char)n;
}

/* [table, key]: an array of two, ext type 2 with the table's ID, a uint 64. */
static void encode_query(unsigned char *at, uint64_t table, uint64_t key)
{
	at[0] = 0x92;
	at[1] = 0xd7;
	at[2] = 2;
	encode_number(at + 3, table);
	at[11] = 0xcf;
	encode_number(at + 12, key);
}

/* 1: not what it must be. */
static int check(poold_future *future, uint64_t key)
{
	const char *code, *message;
	unsigned char wanted[9];
	const void *encoded;
	size_t len;
	int r;

	r = poold_future_wait(future, POOLD_FOREVER);
	if (r < 0)
		return r;
	if (poold_future_get_error(future, &code, &message) > 0) {
		fprintf(stderr, "key %llu: %s: %s\n", (unsigned long long)key, code, message);
		return 1;
	}
	wanted[0] = 0xcf;
	encode_number(wanted + 1, value_of(key));
	r = poold_future_get_encoded(future, &encoded, &len);
	return r < 0 ? r : len != sizeof(wanted) || memcmp(encoded, wanted, len) != 0;
}

/* Many jobs in one message. How many answers were wrong. */
static int query(poold *p, uint64_t table, const uint64_t *keys, size_t n)
{
	unsigned char encoded[BATCH][ENCODED_BYTES];
	poold_options options = POOLD_OPTIONS_INIT;
	poold_future *futures[BATCH];
	poold_input inputs[BATCH];
	int r, wrong = 0;

	for (size_t i = 0; i < n; i++) {
		encode_query(encoded[i], table, keys[i]);
		inputs[i] = poold_input_encoded(encoded[i], ENCODED_BYTES);
	}
	options.auto_release = 1;
	r = poold_submit_many(p, "lookup/find", inputs, n, &options, futures);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (r >= 0)
			r = check(futures[i], keys[i]);
		wrong += r > 0;
		poold_future_unref(futures[i]);
	}
	return r < 0 ? r : wrong;
}

static int run(poold *p, size_t n_records, size_t n_queries)
{
	uint64_t keys[BATCH], id, n_asked = 0;
	poold_future *table;
	int r, wrong = 0;

	r = put_table(p, n_records, &table);
	if (r < 0)
		return r;
	id = poold_future_get_id(table);
	while (r >= 0 && n_asked < n_queries) {
		size_t n = 0;

		for (; n < BATCH && n_asked < n_queries; n++, n_asked++)
			keys[n] = key_of(value_of(n_asked) % n_records);
		r = query(p, id, keys, n);
		wrong += r > 0 ? r : 0;
	}
	if (r >= 0)
		printf("%zu queries on %zu records, %d wrong\n", n_queries, n_records, wrong);
	/* it stays until its last job is through */
	if (r >= 0)
		r = poold_release(p, &id, 1, NULL);
	poold_future_unref(table);
	return r < 0 ? r : wrong;
}

int main(int argc, char **argv)
{
	size_t n_records, n_queries;
	poold *p = NULL;
	int r;

	n_records = argc == 3 ? (strtoul(argv[1], NULL, 10) << 20) / sizeof(struct record) : 0;
	if (n_records == 0) {
		fprintf(stderr, "usage: %s MIB QUERIES\n", argv[0]);
		return 2;
	}
	n_queries = strtoul(argv[2], NULL, 10);
	r = poold_open(&p, NULL);
	if (r >= 0)
		r = run(p, n_records, n_queries);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", poold_strerror(r), p ? poold_get_error_text(p) : "");
	poold_unref(p);
	return r != 0;
}
