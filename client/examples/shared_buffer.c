/* One table, made where it stays, is the input of many jobs: nothing of it is copied, however large
 * it is.
 *
 *	./shared_buffer 256 md5 sha1 sha256 sha512
 *
 * builds 256 MiB of numbered lines and has several checksums of them computed at once. Needs a pool
 * "digest" with the module digest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poold.h>

#define LINE_BYTES 8

static int make_table(poold_buffer **ret, size_t bytes)
{
	char line[LINE_BYTES + 1];
	poold_buffer *table;
	char *at;
	int r;

	r = poold_buffer_new(&table, bytes);
	if (r < 0)
		return r;
	at = poold_buffer_get_data(table);
	for (size_t i = 0; i < bytes / LINE_BYTES; i++) {
		snprintf(line, sizeof(line), "%07u\n", (unsigned)(i % 10000000));
		memcpy(at + i * LINE_BYTES, line, LINE_BYTES);
	}
	*ret = table;
	return 0;
}

/* The first submit seals the table: from then on nobody can change it, and it can be sent again and
 * again. */
static int submit(poold *p, const char *name, poold_buffer *table, poold_set *set)
{
	poold_options options = POOLD_OPTIONS_INIT;
	poold_future *future;
	char function[64];
	int r;

	snprintf(function, sizeof(function), "digest/%s", name);
	options.auto_release = 1;
	r = poold_submit(p, function, poold_input_buffer(table), &options, &future);
	if (r < 0)
		return r;
	r = poold_future_set_callback(future, NULL, (void *)name);
	if (r == 0)
		r = poold_set_add(set, future);
	poold_future_unref(future);
	return r;
}

static int print_future(poold_future *future)
{
	const char *name = poold_future_get_userdata(future), *code, *message;
	const void *digest;
	size_t len;

	if (poold_future_get_error(future, &code, &message) > 0) {
		fprintf(stderr, "%s: %s: %s\n", name, code, message);
		return 1;
	}
	if (poold_future_get_bytes(future, &digest, &len) < 0)
		return 1;
	printf("%.*s  %s\n", (int)len, (const char *)digest, name);
	return 0;
}

int main(int argc, char **argv)
{
	poold_buffer *table = NULL;
	poold_set *set = NULL;
	poold_future *future;
	poold *p = NULL;
	int r, failed = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s MIB DIGEST...\n", argv[0]);
		return 2;
	}
	r = poold_open(&p, NULL);
	if (r >= 0)
		r = poold_set_new(p, &set);
	if (r >= 0)
		r = make_table(&table, strtoul(argv[1], NULL, 10) << 20);
	for (int i = 2; r >= 0 && i < argc; i++)
		r = submit(p, argv[i], table, set);
	/* the jobs keep it as long as they need it */
	poold_buffer_free(table);
	while (r >= 0 && poold_set_get_size(set) > 0) {
		r = poold_set_next(set, POOLD_FOREVER, &future);
		if (r > 0) {
			failed |= print_future(future);
			poold_future_unref(future);
		}
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", poold_strerror(r), p ? poold_get_error_text(p) : "");
	poold_set_free(set);
	poold_unref(p);
	return r < 0 || failed;
}
