/* Items that are smaller than a message: each is 64 bytes, of which eight come back.
 *
 *	map SOCKET FUNCTION CHUNK N	libpoold's map, so many items in a job (0: it chooses): items per second
 *	map floor CHUNK N		two processes and a socket, so many items at a time, nothing between
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/poold-map.h"
#include "tests/bench/sample.h"

#define BYTES  64u
#define RESULT 8u
/* Messages on their way of the floor: so few that neither side waits for the other's reading. */
#define WINDOW 4u

static void print_rate(uint64_t from_ns, unsigned n)
{
	printf("{\"per_second\": %.0f}\n", n / ((double)(sample_now_ns() - from_ns) / 1e9));
}

static void check(int r, const poold *p, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, poold_strerror(r), p ? poold_get_error_text(p) : "");
	exit(1);
}

static void check_result(const poold_map_item *item, unsigned index)
{
	const void *bytes;
	size_t len;

	if (item->index == index && poold_map_get_bytes(item, &bytes, &len) == 0 && len == RESULT)
		return;
	fprintf(stderr, "item %llu: %s\n", (unsigned long long)item->index,
		item->code ? item->code : "out of order, or no result");
	exit(1);
}

static void run_map(const char *socket, const char *function, unsigned chunk, unsigned n)
{
	static const uint8_t bytes[BYTES];
	const poold_map_options options = {.size = sizeof(options), .chunk = chunk};
	poold_map_item item = {.size = sizeof(item)};
	unsigned n_added = 0, n_done = 0;
	uint64_t from_ns;
	poold_map *m;
	poold *p;
	int r;

	check(poold_open(&p, socket), NULL, "open");
	check(poold_map_new(p, function, &options, &m), p, "map");
	from_ns = sample_now_ns();
	while (n_done < n) {
		for (r = 0; r == 0 && n_added < n; n_added += r == 0)
			r = poold_map_add(m, poold_input_bytes(bytes, BYTES));
		if (r != -EAGAIN)
			check(r, p, "add");
		check(poold_map_next(m, POOLD_FOREVER, &item), p, "next");
		check_result(&item, n_done++);
	}
	print_rate(from_ns, n);
	poold_map_free(m);
	poold_unref(p);
}

/* ---- the floor ---- */

static bool receive(int fd, void *bytes, size_t len)
{
	return recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

static void answer_all(int fd, unsigned chunk)
{
	uint8_t *in = malloc(chunk * BYTES), *out = malloc(chunk * RESULT);

	while (in && out && receive(fd, in, chunk * BYTES)) {
		for (unsigned i = 0; i < chunk; i++)
			memcpy(out + i * RESULT, in + i * BYTES, RESULT);
		if (write(fd, out, chunk * RESULT) < 0)
			_exit(1);
	}
	_exit(0);
}

static void run_floor(unsigned chunk, unsigned n)
{
	static const uint8_t bytes[BYTES];
	uint8_t *out = malloc(chunk * BYTES), *in = malloc(chunk * RESULT);
	unsigned n_sent = 0, n_done = 0;
	uint64_t from_ns;
	int fds[2];

	if (!out || !in || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		abort();
	if (fork() == 0) {
		close(fds[0]);
		answer_all(fds[1], chunk);
	}
	close(fds[1]);
	from_ns = sample_now_ns();
	while (n_done < n) {
		for (; n_sent < n && n_sent - n_done < WINDOW * chunk; n_sent += chunk) {
			for (unsigned i = 0; i < chunk; i++)
				memcpy(out + i * BYTES, bytes, BYTES);
			if (write(fds[0], out, chunk * BYTES) < 0)
				abort();
		}
		if (!receive(fds[0], in, chunk * RESULT) || in[0] != 0)
			abort();
		n_done += chunk;
	}
	print_rate(from_ns, n_done);
	close(fds[0]);
	free(in);
	free(out);
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "floor") == 0 && number(argv[2]) > 0) {
		run_floor(number(argv[2]), number(argv[3]));
	} else if (argc == 5) {
		run_map(argv[1], argv[2], number(argv[3]), number(argv[4]));
	} else {
		fputs("usage: map SOCKET FUNCTION CHUNK N | map floor CHUNK N\n", stderr);
		return 2;
	}
	return 0;
}
