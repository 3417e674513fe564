#include "tests/unit/literal.h"

#include <check.h>
#include <stdio.h>

#include "proto/limits.h"

/* Elements up to the closing bracket of the container that begins before *f. */
static size_t count_elements(const char *f)
{
	size_t n = 0;
	int depth = 0;

	for (; *f; f++) {
		if (*f == ']' || *f == '}') {
			if (depth-- == 0)
				break;
			continue;
		}
		n += depth == 0;
		depth += *f == '[' || *f == '{';
	}
	return n;
}

static void pack_index(struct bufpack *p, int8_t type, int index)
{
	uint8_t byte = (uint8_t)index;

	bufpack_ext(p, type, &byte, 1);
}

static void pack_id(struct bufpack *p, uint64_t id)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(id >> (56 - 8 * i));
	bufpack_ext(p, PROTO_EXT_FUTURE, bytes, sizeof(bytes));
}

void literal_vpack(struct buf *b, const char *format, va_list ap)
{
	struct bufpack p;
	const void *bytes;

	bufpack_init(&p, b);
	for (const char *f = format; *f; f++) {
		switch (*f) {
		case '[': bufpack_array(&p, count_elements(f + 1)); break;
		case '{': bufpack_map(&p, count_elements(f + 1) / 2); break;
		case ']':
		case '}': break;
		case 's': bufpack_text(&p, va_arg(ap, const char *)); break;
		case 'b':
			bytes = va_arg(ap, const void *);
			bufpack_bin(&p, bytes, va_arg(ap, size_t));
			break;
		case 'r':
			bytes = va_arg(ap, const void *);
			bufpack_raw(&p, bytes, va_arg(ap, size_t));
			break;
		case 'u': bufpack_uint(&p, va_arg(ap, uint64_t)); break;
		case 'i': bufpack_int(&p, va_arg(ap, int)); break;
		case 't': bufpack_bool(&p, va_arg(ap, int)); break;
		case 'n': bufpack_nil(&p); break;
		case 'F': pack_index(&p, PROTO_EXT_FD, va_arg(ap, int)); break;
		case 'V': pack_index(&p, PROTO_EXT_VALUE, va_arg(ap, int)); break;
		case 'I': pack_id(&p, va_arg(ap, uint64_t)); break;
		default: ck_abort_msg("no format: %c", *f);
		}
	}
	ck_assert_int_eq(bufpack_error(&p), 0);
}

void literal_pack(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	literal_vpack(b, format, ap);
	va_end(ap);
}

static void print_bytes(FILE *f, const char *bytes, size_t n)
{
	putc('"', f);
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] >= ' ' && bytes[i] <= '~' && bytes[i] != '"')
			putc(bytes[i], f);
		else
			fprintf(f, "\\x%02x", (unsigned char)bytes[i]);
	}
	putc('"', f);
}

static void print_value(FILE *f, struct cursor *c);

static void print_elements(FILE *f, struct cursor *c, uint32_t n, bool is_map)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			fputs(", ", f);
		print_value(f, c);
		if (is_map) {
			fputs(": ", f);
			print_value(f, c);
		}
	}
}

static void print_ext(FILE *f, int8_t type, const uint8_t *bytes, size_t n)
{
	if (type == PROTO_EXT_FD && n == 1)
		fprintf(f, "fd(%u)", bytes[0]);
	else
		fprintf(f, "ext(%d, %zu)", type, n);
}

static void print_value(FILE *f, struct cursor *c)
{
	enum cursor_type type = cursor_peek(c);
	const void *bytes;
	int8_t ext;
	uint64_t u;
	int64_t i;
	uint32_t n;
	size_t len;
	double d;
	bool b;

	if (cursor_nil(c)) {
		fputs("nil", f);
	} else if (cursor_bool(c, &b)) {
		fputs(b ? "true" : "false", f);
	} else if (cursor_uint(c, &u)) {
		fprintf(f, "%llu", (unsigned long long)u);
	} else if (cursor_int(c, &i)) {
		fprintf(f, "%lld", (long long)i);
	} else if (cursor_number(c, &d)) {
		fprintf(f, "%g", d);
	} else if (cursor_bytes(c, &bytes, &len)) {
		fputs(type == CURSOR_BIN ? "b" : "", f);
		print_bytes(f, bytes, len);
	} else if (cursor_array(c, &n)) {
		putc('[', f);
		print_elements(f, c, n, false);
		putc(']', f);
	} else if (cursor_map(c, &n)) {
		putc('{', f);
		print_elements(f, c, n, true);
		putc('}', f);
	} else if (cursor_ext(c, &ext, &bytes, &len)) {
		print_ext(f, ext, bytes, len);
	} else {
		ck_abort_msg("no value at the cursor");
	}
}

char *literal_text(struct cursor c)
{
	return literal_list(c, 1);
}

char *literal_list(struct cursor c, uint32_t n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	print_elements(f, &c, n, false);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}
