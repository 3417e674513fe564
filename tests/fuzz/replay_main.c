/* Stands in for a fuzzing engine: runs a target over files, then over mutations of them. The
 * mutations come from a seed, so a failure can be had again. Takes the arguments of libFuzzer that
 * it knows, -runs=N and -seed=N, then files and folders. */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUTS_MAX  1024
#define INPUT_BYTES 4096

static struct input {
	uint8_t *bytes;
	size_t len;
} inputs[INPUTS_MAX];
static size_t n_inputs;

static uint64_t seed = 1;

static size_t below(size_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(seed >> 33) % n;
}

static void load_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(INPUT_BYTES);

	must(file && bytes && n_inputs < INPUTS_MAX);
	inputs[n_inputs].len = fread(bytes, 1, INPUT_BYTES, file);
	inputs[n_inputs++].bytes = bytes;
	fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n;

	must(stat(path, &st) == 0);
	if (!S_ISDIR(st.st_mode)) {
		load_file(path);
		return;
	}
	n = scandir(path, &names, NULL, by_name);
	must(n >= 0);
	for (int i = 0; i < n; i++) {
		char inside[4096];

		if (names[i]->d_name[0] != '.') {
			snprintf(inside, sizeof(inside), "%s/%s", path, names[i]->d_name);
			load(inside);
		}
		free(names[i]);
	}
	free(names);
}

/* In memory of exactly that length, so that a sanitizer sees a look behind the end. */
static void run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	must(copy);
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void insert(uint8_t *bytes, size_t *len, size_t at, const uint8_t *piece, size_t n)
{
	if (n > INPUT_BYTES - *len)
		n = INPUT_BYTES - *len;
	memmove(bytes + at + n, bytes + at, *len - at);
	memcpy(bytes + at, piece, n);
	*len += n;
}

static void erase(uint8_t *bytes, size_t *len, size_t at, size_t n)
{
	if (n > *len - at)
		n = *len - at;
	memmove(bytes + at, bytes + at + n, *len - at - n);
	*len -= n;
}

/* The places where MessagePack's kinds begin and end, and the edges of its numbers. */
static uint8_t interesting_byte(void)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x02, 0x03, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0x8f,
		0x90, 0x91, 0x9f, 0xa0, 0xbf, 0xff};

	if (below(2))
		return edges[below(ARRAY_SIZE(edges))];
	return (uint8_t)(0xc0 + below(0x20));
}

static void mutate(uint8_t *bytes, size_t *len)
{
	const struct input *other = &inputs[below(n_inputs)];
	size_t at = below(*len + 1);
	uint8_t byte;

	switch (below(6)) {
	case 0:
		if (at < *len)
			bytes[at] ^= (uint8_t)(1u << below(8));
		break;
	case 1:
		if (at < *len)
			bytes[at] = interesting_byte();
		break;
	case 2:
		byte = interesting_byte();
		insert(bytes, len, at, &byte, 1);
		break;
	case 3: erase(bytes, len, at, 1 + below(8)); break;
	case 4:
		if (other->len > 0) {
			size_t from = below(other->len);

			insert(bytes, len, at, other->bytes + from, 1 + below(other->len - from));
		}
		break;
	case 5: *len = at; break;
	}
}

int main(int argc, char **argv)
{
	static uint8_t bytes[INPUT_BYTES];
	unsigned long n_runs = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-runs=", 6) == 0)
			n_runs = strtoul(argv[i] + 6, NULL, 10);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			seed = strtoul(argv[i] + 6, NULL, 10);
		else if (argv[i][0] != '-')
			load(argv[i]);
	}
	if (n_inputs == 0) {
		fprintf(stderr, "usage: %s [-runs=N] [-seed=N] FILE|FOLDER…\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < n_inputs; i++)
		run(inputs[i].bytes, inputs[i].len);
	for (unsigned long i = 0; i < n_runs; i++) {
		const struct input *from = &inputs[i % n_inputs];
		size_t len = from->len;

		memcpy(bytes, from->bytes, len);
		for (size_t n = 1 + below(6); n > 0; n--)
			mutate(bytes, &len);
		run(bytes, len);
	}
	printf("%s: %zu files and %lu mutations\n", argv[0], n_inputs, n_runs);
	for (size_t i = 0; i < n_inputs; i++)
		free(inputs[i].bytes);
	return 0;
}
