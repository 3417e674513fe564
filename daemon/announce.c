#include "daemon/announce.h"

#include <errno.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/text.h"

struct entry {
	char name[PROTO_NAME_BYTES + 1];
	char doc[PROTO_DOC_BYTES + 1];
	bool is_pure;
};

static bool is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			c != '_' && c != '.' && c != '-')
			return false;
	}
	return len > 0 && len <= PROTO_NAME_BYTES;
}

static const char *take_name(struct entry *e, struct cursor *value)
{
	const char *text;
	size_t len;

	if (!cursor_text(value, &text, &len) || !is_name(text, len))
		return "a function's name is none";
	memcpy(e->name, text, len);
	e->name[len] = '\0';
	return NULL;
}

static const char *take_flags(struct entry *e, struct cursor *value)
{
	const char *text;
	uint32_t n;
	size_t len;

	if (!cursor_array(value, &n))
		return "a function's flags are no list";
	while (n-- > 0) {
		if (!cursor_text(value, &text, &len))
			return "a function's flag is no word";
		e->is_pure |= text_equal(text, len, "pure");
	}
	return NULL;
}

/* For a terminal and a log: one line, cut at its limit. */
static const char *take_doc(struct entry *e, struct cursor *value)
{
	const char *text;
	size_t len;

	if (!cursor_text(value, &text, &len))
		return "a function's doc is no text";
	if (len > PROTO_DOC_BYTES || !text_is_plain(text, len)) {
		text_escape(e->doc, sizeof(e->doc), text, len);
		return NULL;
	}
	memcpy(e->doc, text, len);
	e->doc[len] = '\0';
	return NULL;
}

/* NULL, or why it is none. */
static const char *take_entry(struct entry *e, struct cursor *c)
{
	const char *key, *reason = NULL;
	struct cursor value;
	uint32_t n;
	size_t len;

	*e = (struct entry){};
	if (!cursor_map(c, &n))
		return "a function is no map";
	while (n-- > 0 && !reason) {
		if (!cursor_text(c, &key, &len) || !cursor_skip(c, &value))
			return "a function's key is no text";
		if (text_equal(key, len, "name"))
			reason = take_name(e, &value);
		else if (text_equal(key, len, "flags"))
			reason = take_flags(e, &value);
		else if (text_equal(key, len, "doc"))
			reason = take_doc(e, &value);
	}
	if (!reason && !e->name[0])
		reason = "a function has no name";
	return reason;
}

int announce_check(struct cursor table, const char **ret_reason)
{
	const char *reason = NULL;
	struct entry e;
	uint32_t n;

	if (!cursor_array(&table, &n))
		reason = "functions are no list";
	else if (n > PROTO_FUNCTIONS_MAX)
		reason = "too many functions";
	while (!reason && n-- > 0)
		reason = take_entry(&e, &table);
	if (!reason)
		return 0;
	*ret_reason = reason;
	return ANNOUNCE_E_TABLE;
}

int announce_apply(struct cursor table, struct pool *p, const char **ret_reason)
{
	struct entry e;
	uint32_t n = 0;
	int r;

	r = announce_check(table, ret_reason);
	if (r != 0)
		return r;
	pool_clear_functions(p);
	(void)!cursor_array(&table, &n);
	while (n-- > 0) {
		(void)!take_entry(&e, &table);
		if (pool_find_function(p, e.name, strlen(e.name))) {
			*ret_reason = "a function is named twice";
			return ANNOUNCE_E_TABLE;
		}
		r = pool_put_function(p, e.name, e.doc, e.is_pure);
		if (r < 0)
			return r;
	}
	return 0;
}
