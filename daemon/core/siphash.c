/* As described by Jean-Philippe Aumasson and Daniel J. Bernstein, "SipHash: a fast short-input
 * PRF" (2012), whose test values the unit test holds this against. Two rounds a word, four at the
 * end.
 */
#include "daemon/core/siphash.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void add_word(struct siphash *h, uint64_t word)
{
	h->v[3] ^= word;
	rounds(h->v, 2);
	h->v[0] ^= word;
}

void siphash_begin(struct siphash *h, const struct siphash_key *key)
{
	/* "somepseudorandomlygeneratedbytes" */
	*h = (struct siphash){.v = {
				      key->k[0] ^ 0x736f6d6570736575u,
				      key->k[1] ^ 0x646f72616e646f6du,
				      key->k[0] ^ 0x6c7967656e657261u,
				      key->k[1] ^ 0x7465646279746573u,
			      }};
}

void siphash_add(struct siphash *h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++) {
		h->tail |= (uint64_t)p[i] << 8 * (h->len++ % 8);
		if (h->len % 8 == 0) {
			add_word(h, h->tail);
			h->tail = 0;
		}
	}
}

uint64_t siphash_end(struct siphash *h)
{
	add_word(h, h->tail | h->len << 56);
	h->v[2] ^= 0xff;
	rounds(h->v, 4);
	return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}
