/* One file. libinih splits lines into key and value and drops comments; what it does not tell
 * (sections without a key, the number of a line) or does silently (cutting long lines and long
 * section names, taking indented lines for a continuation of the one above) is settled by the
 * reader that hands it the lines. */
#include "daemon/config_parse.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/text.h"

enum {
	SHOWN_BYTES = 100,
	LINE_BYTES = 65536, /* a longer one has no end */
};

struct source {
	struct config_parse *parse;
	const char *name;
	FILE *file;
	int line;
	enum config_section section;
	size_t pool;	  /* SECTION_POOL: which */
	bool is_skipping; /* what stands in a section that nobody knows */
	bool owes_key;	  /* this line must be a key, and its key has not come yet */
	bool is_over;
	int r; /* not 0: ends the reading */
};

#define shown(text)  text_escape((char[SHOWN_BYTES]){0}, SHOWN_BYTES, text, strlen(text))
#define fail(s, ...) ((s)->r = config_fail((s)->parse, (s)->name, (s)->line, __VA_ARGS__))

/* ---- sections ---- */

static bool is_pool_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-");

	return n > 0 && n <= PROTO_NAME_BYTES && name[n] == '\0';
}

/* A section stands once in a file; in a later file it adds to the earlier one. */
static void set_header(struct source *s, struct config_origin *at)
{
	if (at->file == s->name)
		fail(s, "this section stands in line %d already", at->line);
	*at = (struct config_origin){s->name, s->line};
}

static void enter_pool(struct source *s, const char *name)
{
	struct config *config = s->parse->config;
	size_t i = 0;

	if (name[0] == '\0') {
		fail(s, "[pool] needs a name: [pool NAME]");
		return;
	}
	if (!is_pool_name(name)) {
		fail(s, "\"%s\" is no name for a pool: 1 to %u of a-z 0-9 _ . -", shown(name),
			PROTO_NAME_BYTES);
		return;
	}
	while (i < config->n_pools && strcmp(config->pools[i].name, name) != 0)
		i++;
	if (i == config->n_pools) {
		if (i >= CONFIG_POOLS_MAX) {
			fail(s, "[pool %s] is one too many: at most %u", name, CONFIG_POOLS_MAX);
			return;
		}
		s->r = config_add_pool(s->parse, name);
		if (s->r != 0)
			return;
	}
	s->section = SECTION_POOL;
	s->is_skipping = false;
	s->pool = i;
	set_header(s, &s->parse->pools[i].header);
}

/* [daemon], [limits] */
static void enter_only(struct source *s, enum config_section section)
{
	s->section = section;
	s->is_skipping = false;
	set_header(s, &s->parse->headers[section]);
}

static void enter_section(struct source *s, char *title)
{
	size_t word = strcspn(title, " \t");
	char *rest = title + word + strspn(title + word, " \t");

	title[word] = '\0';
	if (strcmp(title, "pool") == 0) {
		enter_pool(s, rest);
	} else if (rest[0] == '\0' && strcmp(title, "daemon") == 0) {
		enter_only(s, SECTION_DAEMON);
	} else if (rest[0] == '\0' && strcmp(title, "limits") == 0) {
		enter_only(s, SECTION_LIMITS);
	} else {
		fail(s, "unknown section [%s%s%s]; the nearest is %s", shown(title),
			rest[0] ? " " : "", shown(rest),
			config_section_title(config_section_nearest(title)));
	}
}

/* line: "[…". */
static void read_section(struct source *s, const char *line)
{
	const char *end = strchr(line, ']');
	char title[1024];
	size_t n;

	s->is_skipping = true; /* until it turns out to be a known one */
	if (!end) {
		fail(s, "a section without \"]\": %s", shown(line));
		return;
	}
	n = (size_t)(end - line) - 1;
	end += 1 + strspn(end + 1, " \t\r");
	if (*end != '\0' && *end != ';' && *end != '#') {
		fail(s, "text behind a section: %s", shown(end));
		return;
	}
	line += 1;
	while (n > 0 && isblank((unsigned char)line[0])) {
		line++;
		n--;
	}
	while (n > 0 && isblank((unsigned char)line[n - 1]))
		n--;
	if (n >= sizeof(title)) {
		fail(s, "a section's name of %zu bytes: %s", n, shown(line));
		return;
	}
	memcpy(title, line, n);
	title[n] = '\0';
	enter_section(s, title);
}

/* ---- keys ---- */

/* The section as it stands in the file. */
static const char *title_of(const struct source *s, char title[PROTO_NAME_BYTES + 8])
{
	if (s->section != SECTION_POOL)
		return config_section_title(s->section);
	snprintf(title, PROTO_NAME_BYTES + 8, "[pool %s]", s->parse->config->pools[s->pool].name);
	return title;
}

static void unknown_key(struct source *s, const char *name)
{
	char title[PROTO_NAME_BYTES + 8];

	if (s->section == SECTION_POOL)
		s->parse->pools[s->pool].has_unknown = true;
	for (enum config_section other = SECTION_DAEMON; other <= SECTION_POOL; other++) {
		if (config_key_find(other, name)) {
			fail(s, "key \"%s\" belongs into %s, not into %s", name,
				config_section_title(other), title_of(s, title));
			return;
		}
	}
	fail(s, "unknown key \"%s\" in %s; the nearest is \"%s\"", shown(name), title_of(s, title),
		config_key_nearest(s->section, name)->name);
}

static void set_key(struct source *s, const char *name, const char *text)
{
	const struct config_key *key = config_key_find(s->section, name);
	char reason[CONFIG_REASON_BYTES];
	struct config_origin *origin;
	void *base;
	int r;

	if (!key) {
		unknown_key(s, name);
		return;
	}
	if (s->section == SECTION_POOL) {
		base = &s->parse->config->pools[s->pool];
		origin = &s->parse->pools[s->pool].keys[key - config_keys];
	} else {
		base = s->parse->config;
		origin = &s->parse->keys[key - config_keys];
	}
	if (origin->file == s->name && key->type != TYPE_ENV) {
		fail(s, "key \"%s\" stands in line %d already", name, origin->line);
		return;
	}
	r = config_value_set(key, text, base, reason);
	*origin = (struct config_origin){s->name, s->line, .is_bad = r == 1};
	if (r == 1)
		fail(s, "%s = %s %s", name, shown(text), reason);
	else
		s->r = r;
}

/* Called by libinih; its `section` is cut when long, so ours is used. */
static int on_key(void *userdata, const char *section, const char *name, const char *value)
{
	struct source *s = userdata;

	s->owes_key = false;
	if (s->r != 0)
		return 0;
	if (s->is_skipping)
		return 1;
	if (s->section == SECTION_NONE) {
		fail(s, "key \"%s\" stands before the first section", shown(name));
		s->is_skipping = true;
	} else {
		set_key(s, name, value ? value : "");
	}
	return s->r == 0;
}

/* ---- lines ---- */

/* The rest of the file is not looked at: what follows from it may stand there. */
static int give_up(struct source *s)
{
	s->is_over = true;
	s->parse->is_partial = true;
	return -1;
}

/* To the end of a line that is too long, if it has one. */
static int skip_line(struct source *s, int size)
{
	int c, n = 0;

	fail(s, "a line longer than %d bytes", size - 2);
	while ((c = getc_unlocked(s->file)) != EOF && c != '\n')
		if (++n > LINE_BYTES)
			return give_up(s);
	return s->r == 0 ? 0 : -1;
}

/* Reads a line without the blanks in front and its end. Its length, or -1 at the end or after a
 * failure that ends the reading. */
static int read_line(struct source *s, char *line, int size)
{
	int n = 0, c;

	s->line++;
	while ((c = getc_unlocked(s->file)) != EOF && c != '\n') {
		if (c == '\0') {
			fail(s, "a NUL byte: this is no text");
			return give_up(s);
		}
		if (n == 0 && isblank(c))
			continue;
		if (n + 2 >= size)
			return skip_line(s, size);
		line[n++] = (char)c;
	}
	if (ferror(s->file)) {
		s->line = 0;
		fail(s, "cannot be read: %s", strerror(errno));
		return give_up(s);
	}
	if (c == EOF && n == 0)
		return -1;
	return n;
}

/* What libinih made no key of. */
static void settle_line(struct source *s)
{
	if (s->owes_key && !s->is_skipping)
		fail(s, "neither \"key = value\" nor \"[section]\"");
	s->owes_key = false;
}

/* Called by libinih for each line: like fgets(). */
static char *next_line(char *line, int size, void *userdata)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct source *s = userdata;
	const char *start = line;
	int n;

	settle_line(s);
	if (s->r != 0 || s->is_over)
		return NULL;
	n = read_line(s, line, size);
	if (n < 0)
		return NULL;
	line[n] = '\0';
	if (s->line == 1 && strncmp(line, bom, 3) == 0)
		start += 3;
	if (start[0] == '[')
		read_section(s, start);
	else
		s->owes_key = !isspace((unsigned char)start[0]) && !strchr(";#", start[0]);
	if (s->r != 0)
		return NULL;
	line[n] = '\n';
	line[n + 1] = '\0';
	return line;
}

int config_file_read(struct config_parse *p, const char *file)
{
	struct source s = {.parse = p, .name = file};
	int bad;

	s.file = fopen(file, "re");
	if (!s.file) {
		if (errno == ENOENT || errno == ENOMEM)
			return -errno;
		p->is_partial = true;
		return config_fail(p, file, 0, "cannot be opened: %s", strerror(errno));
	}
	bad = ini_parse_stream(next_line, &s, on_key, &s);
	settle_line(&s);
	fclose(s.file);
	return bad == -2 ? -ENOMEM : s.r;
}
