/* A map as a program with libpoold sees it: items that are smaller than a message.
 *
 *	map SOCKET FUNCTION N CHUNK	that many small numbers, so many in a job (0: libpoold chooses): items per second */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/poold-map.h"
#include "tests/bench/sample.h"

static void check(int r, const poold *p, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, poold_strerror(r), p ? poold_get_error_text(p) : "");
	exit(1);
}

/* False: some have to come out first. */
static bool add(poold_map *m, poold *p, uint32_t number)
{
	const uint8_t encoded[5] = {0xce, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number};
	int r = poold_map_add(m, poold_input_encoded(encoded, sizeof(encoded)));

	if (r == -EAGAIN)
		return false;
	check(r, p, "add");
	return true;
}

static void run(poold *p, const char *function, uint32_t n, uint32_t chunk)
{
	const poold_map_options options = {.size = sizeof(options), .chunk = chunk};
	poold_map_item item = {.size = sizeof(item)};
	uint64_t from_ns = sample_now_ns();
	uint32_t n_added = 0, n_done = 0;
	poold_map *m;

	check(poold_map_new(p, function, &options, &m), p, "map");
	while (n_done < n) {
		while (n_added < n && add(m, p, n_added))
			n_added++;
		check(poold_map_next(m, POOLD_FOREVER, &item), p, "next");
		if (item.state != POOLD_DONE || item.index != n_done++) {
			fprintf(stderr, "item %llu: %s\n", (unsigned long long)item.index,
				item.code ? item.code : "out of order");
			exit(1);
		}
	}
	printf("{\"per_second\": %.0f}\n", n / ((double)(sample_now_ns() - from_ns) / 1e9));
	poold_map_free(m);
}

int main(int argc, char **argv)
{
	poold *p;

	if (argc != 5) {
		fputs("usage: map SOCKET FUNCTION N CHUNK\n", stderr);
		return 2;
	}
	check(poold_open(&p, argv[1]), NULL, "open");
	run(p, argv[2], (uint32_t)strtoul(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10));
	poold_unref(p);
	return 0;
}
