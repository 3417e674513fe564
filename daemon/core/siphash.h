/* SipHash-2-4: a keyed hash of 64 bits. Without the key nobody can choose texts that meet in a
 * table, nor contents that look the same. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k[2];
};

/* A hash in the making: what is added in pieces counts as if it were added at once. */
struct siphash {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet, the first one lowest */
	uint64_t len;
};

void siphash_begin(struct siphash *h, const struct siphash_key *key);
void siphash_add(struct siphash *h, const void *bytes, size_t n);
uint64_t siphash_end(struct siphash *h);
