#include "daemon/config_parse.h"

#include <string.h>

#define MEMBER_OF_DAEMON struct config
#define MEMBER_OF_LIMITS struct config
#define MEMBER_OF_POOL	 struct config_pool

const struct config_key config_keys[_CONFIG_KEY_MAX] = {
#define KEY(section_, name_, type_, member_, default_, least_, most_, doc_)                        \
	[KEY_##section_##_##name_] = {                                                             \
		.section = SECTION_##section_,                                                     \
		.name = #name_,                                                                    \
		.type = TYPE_##type_,                                                              \
		.offset = offsetof(MEMBER_OF_##section_, member_),                                 \
		.fallback = default_,                                                              \
		.least = least_,                                                                   \
		.most = most_,                                                                     \
		.doc = doc_,                                                                       \
	},
#include "daemon/config.def"
#undef KEY
};

static const char *const titles[] = {
	[SECTION_DAEMON] = "[daemon]",
	[SECTION_LIMITS] = "[limits]",
	[SECTION_POOL] = "[pool NAME]",
};

const char *config_section_title(enum config_section section)
{
	return titles[section];
}

const struct config_key *config_key_find(enum config_section section, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++)
		if (config_keys[i].section == section && strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

enum { WORD_BYTES = 32 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Letters to insert, remove or replace; of the first letters of overlong words. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned rows[WORD_BYTES + 1][WORD_BYTES + 1];
	size_t n = strnlen(a, WORD_BYTES), m = strnlen(b, WORD_BYTES);

	for (size_t i = 0; i <= n; i++) {
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				rows[i][j] = (unsigned)(i + j);
				continue;
			}
			rows[i][j] = min3(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
				rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
		}
	}
	return rows[n][m];
}

const struct config_key *config_key_nearest(enum config_section section, const char *name)
{
	const struct config_key *nearest = NULL;
	unsigned least = UINT32_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++) {
		const struct config_key *k = &config_keys[i];
		unsigned d;

		if (k->section != section)
			continue;
		d = edit_distance(k->name, name);
		if (d < least) {
			least = d;
			nearest = k;
		}
	}
	return nearest;
}

enum config_section config_section_nearest(const char *word)
{
	static const char *const words[] = {
		[SECTION_DAEMON] = "daemon",
		[SECTION_LIMITS] = "limits",
		[SECTION_POOL] = "pool",
	};
	enum config_section nearest = SECTION_DAEMON;

	for (enum config_section s = SECTION_LIMITS; s <= SECTION_POOL; s++)
		if (edit_distance(words[s], word) < edit_distance(words[nearest], word))
			nearest = s;
	return nearest;
}
