#include "daemon/core/siphash.h"

#include "tests/unit/suite.h"

/* The key of the paper's test values: 00 01 02 … 0f. */
static const struct siphash_key key = {{0x0706050403020100u, 0x0f0e0d0c0b0a0908u}};

static uint64_t hash(const void *bytes, size_t n)
{
	struct siphash h;

	siphash_begin(&h, &key);
	siphash_add(&h, bytes, n);
	return siphash_end(&h);
}

START_TEST(it_gives_the_values_of_the_paper)
{
	static const struct {
		size_t n;
		uint64_t value;
	} rows[] = {
		{0, 0x726fdb47dd0e0e31u},
		{1, 0x74f839c593dc67fdu},
		{8, 0x93f5f5799a932462u},
		{15, 0xa129ca6149be45e5u},
	};
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_uint_eq(hash(bytes, rows[i].n), rows[i].value);
}
END_TEST

START_TEST(pieces_count_as_the_whole)
{
	static const char text[] = "the same bytes, however they come";
	uint64_t whole = hash(text, sizeof(text));

	for (size_t cut = 0; cut <= sizeof(text); cut++) {
		struct siphash h;

		siphash_begin(&h, &key);
		siphash_add(&h, text, cut);
		siphash_add(&h, text + cut, sizeof(text) - cut);
		ck_assert_uint_eq(siphash_end(&h), whole);
	}
}
END_TEST

START_TEST(another_key_gives_another_hash)
{
	static const struct siphash_key other = {{0x0706050403020100u, 0x0f0e0d0c0b0a0909u}};
	struct siphash h;

	siphash_begin(&h, &other);
	ck_assert_uint_ne(siphash_end(&h), hash(NULL, 0));
}
END_TEST

SUITE_MAIN("siphash", it_gives_the_values_of_the_paper, pieces_count_as_the_whole,
	another_key_gives_another_hash)
