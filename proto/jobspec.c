/* Options are a table: kind, where the value goes, limit. Parsing and packing walk over the same
 * table, so an option is added in one line here and one in the header. */
#include "proto/jobspec.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/limits.h"
#include "proto/outcome.h"

#define US_PER_S    1000000u
#define SECONDS_MAX 3155760000u /* 100 years */

static const char *const names[] = {
#define X(name, word) [JOBSPEC_##name] = word,
	JOBSPEC_OPTIONS(X)
#undef X
};

static const uint8_t name_lens[] = {
#define X(name, word) [JOBSPEC_##name] = sizeof(word) - 1,
	JOBSPEC_OPTIONS(X)
#undef X
};

enum kind {
	KIND_TIME,
	KIND_BOOL,
	KIND_INT,
	KIND_COUNT,
	KIND_ENDS, /* a list of words */
	KIND_TEXT,
	KIND_ASCII, /* text, printable ASCII only */
	KIND_IDS,
};

struct option {
	enum kind kind;
	size_t offset;	   /* of the value in struct jobspec */
	size_t len_offset; /* text: of its length */
	size_t max_len;	   /* text: bytes; count: its most */
};

#define VALUE(what, field)                                                                         \
	{                                                                                          \
		.kind = (what), .offset = offsetof(struct jobspec, field)                          \
	}
#define COUNT(field, most)                                                                         \
	{                                                                                          \
		.kind = KIND_COUNT, .offset = offsetof(struct jobspec, field), .max_len = (most)   \
	}
#define TEXT(what, field, max)                                                                     \
	{                                                                                          \
		.kind = (what), .offset = offsetof(struct jobspec, field),                         \
		.len_offset = offsetof(struct jobspec, field##_len), .max_len = (max)              \
	}

static const struct option options[] = {
	[JOBSPEC_TIMEOUT] = VALUE(KIND_TIME, timeout_us),
	[JOBSPEC_GRACE] = VALUE(KIND_TIME, grace_us),
	[JOBSPEC_DELIVER] = VALUE(KIND_BOOL, deliver),
	[JOBSPEC_ATTACHED] = VALUE(KIND_BOOL, attached),
	[JOBSPEC_GROUP] = TEXT(KIND_TEXT, group, PROTO_GROUP_BYTES),
	[JOBSPEC_LABEL] = TEXT(KIND_TEXT, label, PROTO_LABEL_BYTES),
	[JOBSPEC_TTL] = VALUE(KIND_TIME, ttl_us),
	[JOBSPEC_PRIORITY] = VALUE(KIND_INT, priority),
	[JOBSPEC_TRACE] = TEXT(KIND_ASCII, trace, PROTO_TRACE_BYTES),
	[JOBSPEC_KEY] = TEXT(KIND_TEXT, key, PROTO_KEY_BYTES),
	[JOBSPEC_START_WITHIN] = VALUE(KIND_TIME, start_within_us),
	[JOBSPEC_DEADLINE] = VALUE(KIND_TIME, deadline_us),
	[JOBSPEC_DELAY] = VALUE(KIND_TIME, delay_us),
	[JOBSPEC_RETRIES] = COUNT(retries, PROTO_RETRIES_MAX),
	[JOBSPEC_RETRY_ON] = VALUE(KIND_ENDS, retry_on),
	[JOBSPEC_BACKOFF] = VALUE(KIND_TIME, backoff_us),
	[JOBSPEC_AFTER] = VALUE(KIND_IDS, after),
	[JOBSPEC_AFTER_ANY] = VALUE(KIND_IDS, after_any),
	[JOBSPEC_EACH] = VALUE(KIND_BOOL, each),
	[JOBSPEC_ADMIT_WITHIN] = VALUE(KIND_TIME, admit_within_us),
};
static_assert(ARRAY_SIZE(options) == _JOBSPEC_MAX, "a row per option");

#define FIELD(spec, offset, type) (*(type *)(void *)((char *)(spec) + (offset)))
#define CONST_FIELD(spec, offset, type)                                                            \
	(*(const type *)(const void *)((const char *)(spec) + (offset)))

/* Always 1, so that a caller can return it. */
printf_like(3, 4) static int fail(
	struct jobspec_error *e, enum outcome_code code, const char *format, ...)
{
	va_list args;

	e->code = (int)code;
	va_start(args, format);
	vsnprintf(e->message, sizeof(e->message), format, args);
	va_end(args);
	return 1;
}

static const char *type_name(const struct cursor *c)
{
	switch (cursor_peek(c)) {
	case CURSOR_NIL: return "nil";
	case CURSOR_BOOL: return "a boolean";
	case CURSOR_INT: return "an integer";
	case CURSOR_FLOAT: return "a float";
	case CURSOR_STR: return "a string";
	case CURSOR_BIN: return "bytes";
	case CURSOR_ARRAY: return "an array";
	case CURSOR_MAP: return "a map";
	case CURSOR_EXT: return "an ext";
	case CURSOR_END: break;
	}
	return "nothing";
}

static int fail_type(
	struct jobspec_error *e, const char *name, const struct cursor *c, const char *wanted)
{
	return fail(e, OUTCOME_E_BAD_REQUEST, "option \"%s\" must be %s, not %s", name, wanted,
		type_name(c));
}

bool jobspec_seconds(struct cursor *c, bool zero_ok, uint64_t *ret_us)
{
	struct cursor at = *c;
	uint64_t us;
	double s;

	/* written so that NaN fails */
	if (!cursor_number(&at, &s) || !(s >= 0 && s <= SECONDS_MAX) || (s == 0 && !zero_ok))
		return false;
	us = (uint64_t)(s * US_PER_S + 0.5);
	if (us == 0 && s > 0)
		us = 1; /* a little is not nothing */
	*c = at;
	*ret_us = us;
	return true;
}

static int parse_time(uint64_t *ret_us, struct cursor *c, const char *name, struct jobspec_error *e)
{
	struct cursor at = *c;
	double s;

	if (jobspec_seconds(c, false, ret_us))
		return 0;
	if (!cursor_number(&at, &s))
		return fail_type(e, name, c, "a time in seconds (int or float)");
	if (s == 0)
		return fail(
			e, OUTCOME_E_BAD_REQUEST, "option \"%s\": a time of 0 is refused", name);
	return fail(e, OUTCOME_E_BAD_REQUEST,
		"option \"%s\": a time of %.16g seconds is refused, it must be above 0 and at most "
		"%u",
		name, s, SECONDS_MAX);
}

static int parse_int(int32_t *ret, struct cursor *c, const char *name, struct jobspec_error *e)
{
	struct cursor at = *c;
	uint64_t large;
	int64_t v;

	if (cursor_int(&at, &v)) {
		if (v < INT32_MIN || v > INT32_MAX)
			return fail(e, OUTCOME_E_BAD_REQUEST,
				"option \"%s\": %" PRId64 " is not between %d and %d", name, v,
				INT32_MIN, INT32_MAX);
		*ret = (int32_t)v;
		*c = at;
		return 0;
	}
	if (cursor_uint(&at, &large))
		return fail(e, OUTCOME_E_BAD_REQUEST,
			"option \"%s\": %" PRIu64 " is not between %d and %d", name, large,
			INT32_MIN, INT32_MAX);
	return fail_type(e, name, c, "an integer");
}

static int parse_count(uint32_t *ret, const struct option *o, struct cursor *c, const char *name,
	struct jobspec_error *e)
{
	struct cursor at = *c;
	uint64_t v;
	int64_t negative;

	if (cursor_uint(&at, &v)) {
		if (v > o->max_len)
			return fail(e, OUTCOME_E_BAD_REQUEST,
				"option \"%s\": %" PRIu64 ", at most %zu are allowed", name, v,
				o->max_len);
		*ret = (uint32_t)v;
		*c = at;
		return 0;
	}
	if (cursor_int(&at, &negative))
		return fail(e, OUTCOME_E_BAD_REQUEST, "option \"%s\": %" PRId64 " is below 0", name,
			negative);
	return fail_type(e, name, c, "an integer");
}

static const char *const ends[] = {"lost", "failed", "timeout"}; /* in the order of their bits */

static int parse_ends(uint8_t *ret, struct cursor *c, const char *name, struct jobspec_error *e)
{
	char shown[64];
	const char *word;
	uint8_t bits = 0;
	size_t len, i;
	uint32_t n;

	if (!cursor_array(c, &n))
		return fail_type(e, name, c, "a list of words");
	for (; n > 0; n--) {
		if (!cursor_text(c, &word, &len))
			return fail_type(e, name, c, "a list of words, and in it a text");
		for (i = 0; i < ARRAY_SIZE(ends) && !text_equal(word, len, ends[i]); i++)
			;
		if (i == ARRAY_SIZE(ends))
			return fail(e, OUTCOME_E_BAD_REQUEST,
				"option \"%s\": \"%s\" is not lost, failed or timeout", name,
				text_escape(shown, sizeof(shown), word, len));
		bits |= (uint8_t)(1u << i);
	}
	*ret = bits;
	return 0;
}

static void pack_ends(struct bufpack *p, uint8_t bits)
{
	bufpack_array(p, (size_t)__builtin_popcount(bits));
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (bits & 1u << i)
			bufpack_text(p, ends[i]);
}

static bool is_printable_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

static int parse_text(struct jobspec *s, const struct option *o, struct cursor *c, const char *name,
	struct jobspec_error *e)
{
	const char *text;
	size_t len;

	if (!cursor_text(c, &text, &len))
		return fail_type(e, name, c, "a text");
	if (len > o->max_len)
		return fail(e, OUTCOME_E_BAD_REQUEST,
			"option \"%s\": %zu bytes, at most %zu are allowed", name, len, o->max_len);
	if (o->kind == KIND_ASCII ? !is_printable_ascii(text, len) : !text_is_plain(text, len)) {
		char shown[64];

		return fail(e, OUTCOME_E_BAD_REQUEST, "option \"%s\": \"%s\" is not %s", name,
			text_escape(shown, sizeof(shown), text, len),
			o->kind == KIND_ASCII ? "printable ASCII"
					      : "UTF-8 without control characters");
	}
	FIELD(s, o->offset, const char *) = text;
	FIELD(s, o->len_offset, size_t) = len;
	return 0;
}

static int parse_ids(
	struct jobspec_ids *ret, struct cursor *c, const char *name, struct jobspec_error *e)
{
	struct cursor at = *c;
	struct jobspec_ids ids = {};
	uint64_t id;

	if (!cursor_array(&at, &ids.n))
		return fail_type(e, name, c, "a list of future IDs");
	if (ids.n > PROTO_IDS_MAX)
		return fail(e, OUTCOME_E_TOO_LARGE, "option \"%s\": a list of %u IDs, at most %u",
			name, ids.n, PROTO_IDS_MAX);
	ids.encoded.p = at.p;
	for (uint32_t i = 0; i < ids.n; i++)
		if (!cursor_uint(&at, &id) || id >= PROTO_ID_END)
			return fail(e, OUTCOME_E_BAD_REQUEST,
				"option \"%s\": element %u is no future ID (an integer from 0 to "
				"2^53-1)",
				name, i);
	ids.encoded.end = at.p;
	*ret = ids;
	*c = at;
	return 0;
}

static int parse_value(
	struct jobspec *s, enum jobspec_option which, struct cursor *c, struct jobspec_error *e)
{
	const struct option *o = &options[which];
	const char *name = names[which];

	switch (o->kind) {
	case KIND_TIME: return parse_time(&FIELD(s, o->offset, uint64_t), c, name, e);
	case KIND_INT: return parse_int(&FIELD(s, o->offset, int32_t), c, name, e);
	case KIND_COUNT: return parse_count(&FIELD(s, o->offset, uint32_t), o, c, name, e);
	case KIND_ENDS: return parse_ends(&FIELD(s, o->offset, uint8_t), c, name, e);
	case KIND_IDS: return parse_ids(&FIELD(s, o->offset, struct jobspec_ids), c, name, e);
	case KIND_BOOL:
		if (cursor_bool(c, &FIELD(s, o->offset, bool)))
			return 0;
		return fail_type(e, name, c, "a boolean");
	case KIND_TEXT:
	case KIND_ASCII: break;
	}
	return parse_text(s, o, c, name, e);
}

/* _JOBSPEC_MAX if there is none of that name. */
static enum jobspec_option option_from(const char *text, size_t len)
{
	enum jobspec_option o = 0;

	while (o < _JOBSPEC_MAX && !text_same(text, len, names[o], name_lens[o]))
		o++;
	return o;
}

static int parse_pair(
	struct jobspec *s, struct cursor *c, uint32_t allowed, struct jobspec_error *e)
{
	enum jobspec_option which;
	const char *key;
	size_t len;

	if (!cursor_text(c, &key, &len))
		return fail(e, OUTCOME_E_BAD_REQUEST,
			"the name of an option must be a text, not %s", type_name(c));
	which = option_from(key, len);
	if (which == _JOBSPEC_MAX || !(allowed & 1u << which)) {
		char shown[64];

		return fail(e, OUTCOME_E_UNKNOWN_OPTION, "unknown option \"%s\"%s",
			text_escape(shown, sizeof(shown), key, len),
			which == _JOBSPEC_MAX ? "" : " for this method");
	}
	if (s->set & 1u << which)
		return fail(e, OUTCOME_E_BAD_REQUEST, "option \"%s\" is given twice", names[which]);
	s->set |= 1u << which;
	return parse_value(s, which, c, e);
}

int jobspec_parse(
	struct jobspec *ret, struct cursor *c, uint32_t allowed, struct jobspec_error *ret_error)
{
	struct cursor at = *c;
	struct jobspec s = {.retry_on = JOBSPEC_ON_LOST};
	uint32_t n;

	if (!cursor_map(&at, &n))
		return fail(ret_error, OUTCOME_E_BAD_REQUEST, "options must be a map, not %s",
			type_name(c));
	/* ends at the first pair that is unknown or comes twice, so after _JOBSPEC_MAX at the
	 * latest */
	while (n-- > 0)
		if (parse_pair(&s, &at, allowed, ret_error) != 0)
			return 1;
	*ret = s;
	*c = at;
	return 0;
}

static void pack_ids(struct bufpack *p, const struct jobspec_ids *ids)
{
	bufpack_array(p, ids->n);
	if (!ids->ids && ids->n)
		bufpack_raw(p, ids->encoded.p, cursor_len(&ids->encoded));
	for (uint32_t i = 0; ids->ids && i < ids->n; i++)
		bufpack_uint(p, ids->ids[i]);
}

static void pack_value(struct bufpack *p, const struct jobspec *s, const struct option *o)
{
	switch (o->kind) {
	case KIND_TIME: bufpack_seconds(p, CONST_FIELD(s, o->offset, uint64_t)); break;
	case KIND_BOOL: bufpack_bool(p, CONST_FIELD(s, o->offset, bool)); break;
	case KIND_INT: bufpack_int(p, CONST_FIELD(s, o->offset, int32_t)); break;
	case KIND_COUNT: bufpack_uint(p, CONST_FIELD(s, o->offset, uint32_t)); break;
	case KIND_ENDS: pack_ends(p, CONST_FIELD(s, o->offset, uint8_t)); break;
	case KIND_IDS: pack_ids(p, &CONST_FIELD(s, o->offset, struct jobspec_ids)); break;
	case KIND_TEXT:
	case KIND_ASCII:
		bufpack_text_n(p, CONST_FIELD(s, o->offset, char *),
			CONST_FIELD(s, o->len_offset, size_t));
		break;
	}
}

/* A name as it is packed. All have the same length in memory, so that the compiler knows how much
 * to copy. */
struct word {
	uint8_t lead;
	char text[15];
};

static const struct word words[] = {
#define X(name, word) [JOBSPEC_##name] = {0xa0 | (sizeof(word) - 1), word},
	JOBSPEC_OPTIONS(X)
#undef X
};

static void pack_word(struct bufpack *p, const struct word *w)
{
	uint8_t *at = bufpack_open(p, sizeof(*w));

	if (!at)
		return;
	encode_bytes(at, w, sizeof(*w));
	bufpack_close(p, at + 1 + (w->lead & 0x1f));
}

/* Of few. */
static unsigned count_bits(uint32_t set)
{
	unsigned n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

void jobspec_pack(struct bufpack *p, const struct jobspec *s)
{
	uint32_t set = s->set & JOBSPEC_FOR_SUBMIT;

	bufpack_map(p, count_bits(set));
	for (; set; set &= set - 1) {
		unsigned o = (unsigned)__builtin_ctz(set);

		pack_word(p, &words[o]);
		pack_value(p, s, &options[o]);
	}
}

const char *jobspec_option_name(enum jobspec_option o)
{
	assert(o < _JOBSPEC_MAX);
	return names[o];
}
