/* Cursor functions over bytes that nothing has checked, from every offset: they stay inside, move
 * only when they say so, and what they give lies inside. Over bytes that scan accepted they read
 * everything. */
#include "proto/cursor.h"

#include "proto/scan.h"
#include "tests/fuzz/fuzz.h"

/* What cursor functions may do to a cursor. */
static void must_have_moved(const struct cursor *before, const struct cursor *c, bool is_taken)
{
	must(c->end == before->end);
	if (is_taken)
		must(c->p > before->p && c->p <= c->end);
	else
		must(c->p == before->p);
}

/* The payload ends where the cursor stands now, and begins behind where it stood. */
static void must_lie_between(
	const struct cursor *before, const struct cursor *c, const void *bytes, size_t len)
{
	must((const uint8_t *)bytes > before->p);
	must(len == (size_t)(c->p - (const uint8_t *)bytes));
}

static void try_scalars(const struct cursor *at)
{
	enum cursor_type type = cursor_peek(at);
	struct cursor c;
	uint64_t u = 0;
	int64_t i = 0;
	bool is_taken, b;
	double d;

	c = *at;
	is_taken = cursor_nil(&c);
	must_have_moved(at, &c, is_taken);
	must(is_taken == (type == CURSOR_NIL));
	c = *at;
	is_taken = cursor_bool(&c, &b);
	must_have_moved(at, &c, is_taken);
	must(is_taken == (type == CURSOR_BOOL));
	c = *at;
	is_taken = cursor_number(&c, &d);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || type == CURSOR_INT || type == CURSOR_FLOAT);
	c = *at;
	is_taken = cursor_uint(&c, &u);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || type == CURSOR_INT);
	c = *at;
	if (cursor_int(&c, &i)) {
		must(type == CURSOR_INT);
		must_have_moved(at, &c, true);
		/* both take what both can hold */
		must(is_taken == (i >= 0));
		must(!is_taken || u == (uint64_t)i);
	} else {
		must_have_moved(at, &c, false);
	}
}

static void try_bytes(const struct cursor *at)
{
	enum cursor_type type = cursor_peek(at);
	const void *bytes;
	const char *text;
	struct cursor c;
	size_t len;
	int8_t ext;
	bool is_taken;

	c = *at;
	is_taken = cursor_bytes(&c, &bytes, &len);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || type == CURSOR_STR || type == CURSOR_BIN);
	if (is_taken)
		must_lie_between(at, &c, bytes, len);
	c = *at;
	must(cursor_text(&c, &text, &len) == is_taken);
	must(!is_taken || text == bytes);
	must_have_moved(at, &c, is_taken);
	c = *at;
	is_taken = cursor_ext(&c, &ext, &bytes, &len);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || type == CURSOR_EXT);
	if (is_taken)
		must_lie_between(at, &c, bytes, len);
}

static void try_containers(const struct cursor *at)
{
	enum cursor_type type = cursor_peek(at);
	struct cursor c, value;
	bool is_taken;
	uint32_t n;

	c = *at;
	is_taken = cursor_array(&c, &n);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || (type == CURSOR_ARRAY && n <= cursor_len(&c)));
	c = *at;
	is_taken = cursor_map(&c, &n);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || (type == CURSOR_MAP && n <= cursor_len(&c) / 2));
	c = *at;
	is_taken = cursor_skip(&c, &value);
	must_have_moved(at, &c, is_taken);
	must(!is_taken || (value.p == at->p && value.end == c.p));
	must(cursor_depth(at) <= PROTO_DEPTH + 1);
}

/* What scan accepted is one value for the cursor too, of the depth at which scan draws the line. */
static void try_checked(const uint8_t *bytes, size_t len)
{
	struct cursor whole, c;
	struct scan s;
	unsigned depth;

	scan_init(&s, len, PROTO_DEPTH);
	if (scan_step(&s, bytes, len) != SCAN_DONE)
		return;
	whole = cursor_of(bytes, s.pos);
	c = whole;
	must(cursor_peek(&c) != CURSOR_END);
	must(cursor_skip(&c, NULL) && cursor_at_end(&c));
	depth = cursor_depth(&whole);
	must(scan_value(bytes, s.pos, depth, NULL) == 0);
	must(depth == 0 || scan_value(bytes, s.pos, depth - 1, NULL) == SCAN_E_DEEP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* skipping from every offset is quadratic */
	if (size > 2048)
		return 0;
	for (size_t i = 0; i <= size; i++) {
		struct cursor c = {data + i, data + size};

		try_scalars(&c);
		try_bytes(&c);
		try_containers(&c);
	}
	try_checked(data, size);
	return 0;
}
