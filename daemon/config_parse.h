/* Between the files of config: the table of keys, values, and what is known while files are read.
 */
#pragma once

#include "daemon/config.h"

#define CONFIG_TIME_MAX_US (100ull * 365 * 86400 * 1000000)
#define CONFIG_NUMBER_MAX  1000000000ull
#define CONFIG_SIZE_MAX	   (1ull << 50)
#define CONFIG_POOLS_MAX   256u

enum config_section {
	SECTION_NONE, /* before the first one */
	SECTION_DAEMON,
	SECTION_LIMITS,
	SECTION_POOL,
};

enum config_type {
	TYPE_PATH,	/* char *: absolute */
	TYPE_DIRECTORY, /* char *: absolute, and there */
	TYPE_PROGRAM,	/* char *: absolute, and executable */
	TYPE_TEXT,	/* char * */
	TYPE_GROUP,	/* char *: there is such a group */
	TYPE_MODULE,	/* char *: a bare name or absolute */
	TYPE_MODE,	/* mode_t */
	TYPE_LEVEL,	/* enum log_level */
	TYPE_HANDLER,	/* enum config_handler */
	TYPE_SIZING,	/* enum pool_sizing */
	TYPE_TIME,	/* uint64_t, microseconds */
	TYPE_SIZE,	/* uint64_t, bytes */
	TYPE_NUMBER,	/* uint64_t */
	TYPE_COUNT,	/* unsigned */
	TYPE_USER,	/* char *: there is such a user */
	TYPE_CPUS,	/* char *: a list of CPUs */
	TYPE_NICE,	/* int, CONFIG_NICE_OFFSET added */
	TYPE_LIMIT,	/* uint64_t, as config_pool.limits */
	TYPE_ENV,	/* char **: adds one; an empty text empties the list */
	TYPE_ALLOW,	/* struct config_allow */
};

/* One for each line of config.def. */
enum config_key_index {
#define KEY(section, name, ...) KEY_##section##_##name,
#include "daemon/config.def"
#undef KEY
	_CONFIG_KEY_MAX,
};

struct config_key {
	enum config_section section;
	const char *name;
	enum config_type type;
	size_t offset; /* of its member in struct config, or struct config_pool for SECTION_POOL */
	const char *fallback;
	uint64_t least, most;
	const char *doc;
};

extern const struct config_key config_keys[_CONFIG_KEY_MAX];

/* NULL if the section has none of that name. */
const struct config_key *config_key_find(enum config_section section, const char *name);
/* The one with the name most alike. */
const struct config_key *config_key_nearest(enum config_section section, const char *name);
/* "[daemon]", "[limits]", "[pool NAME]". */
const char *config_section_title(enum config_section section);
/* The section whose first word is most like this one. */
enum config_section config_section_nearest(const char *word);

enum { CONFIG_REASON_BYTES = 160 };

/* Parses text into the member of `base`; what stood there is freed. 0; 1 with a reason ("is less
 * than 1"); -ENOMEM. */
must_check int config_value_set(const struct config_key *key, const char *text, void *base,
	char reason[CONFIG_REASON_BYTES]);
/* The default from the table, if it is given there. */
must_check int config_value_set_fallback(const struct config_key *key, void *base);
/* Frees what the member holds. */
void config_value_clear(const struct config_key *key, void *base);
/* What the parser of one type works on: 0; 1, refused; -ENOMEM. */
struct config_value {
	const struct config_key *key;
	const char *text;
	void *at; /* the member */
	char *reason;
};

/* Always 1. */
int config_refuse(const struct config_value *v, const char *format, ...) printf_like(2, 3);
/* Plain decimal digits. */
must_check bool config_digits(const char *text, uint64_t *ret);
/* 0; 1 if there is no group of this name or number. */
must_check int config_group(const char *name, gid_t *ret);

/* Where a key was set; no file: nowhere. */
struct config_origin {
	const char *file;
	int line;
	bool is_bad; /* to a value that was refused */
};

struct config_parse_pool {
	struct config_origin header; /* the latest */
	bool has_unknown;	     /* what it seems to lack may be what was misspelt */
	struct config_origin keys[_CONFIG_KEY_MAX];
};

struct config_parse {
	struct config *config;
	struct config_errors *errors;
	bool is_partial; /* a file could not be read to its end */
	struct config_origin keys[_CONFIG_KEY_MAX];
	struct config_origin headers[SECTION_POOL]; /* [daemon], [limits] */
	struct config_parse_pool *pools;	    /* beside config->pools */
};

/* Adds an error. 0: go on; 1: that were enough; -ENOMEM. */
must_check int config_fail(struct config_parse *p, const char *file, int line, const char *format,
	...) printf_like(4, 5);
must_check int config_fail_at(struct config_parse *p, const struct config_origin *origin,
	const char *format, ...) printf_like(3, 4);
/* A pool with the defaults of the table; its origins are empty. */
must_check int config_add_pool(struct config_parse *p, const char *name);
/* Reads one file on top of what is there; the name is borrowed for as long as the parse lasts. 0,
 * also with errors; 1: they were enough; -ENOENT; -ENOMEM. */
must_check int config_file_read(struct config_parse *p, const char *file);

/* Uid 0 makes it the system's daemon; any other, a user's. */
bool config_is_system(void);
/* printf() into a new text that takes the place of *text. */
must_check int config_text(char **text, const char *format, ...) printf_like(2, 3);
/* $variable/poold, or ~/below/poold; *ret stays NULL without a home. */
must_check int config_user_directory(const char *variable, const char *below, char **ret);
/* Settles the members of struct config that no file set, and checks the socket's path. 0, also with
 * errors; 1: they were enough; -ENOMEM. */
must_check int config_set_rest(struct config_parse *p, const struct config_override *o);
