#include "client/poolctl/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "proto/limits.h"

static char *base64_of(const uint8_t *bytes, size_t len, size_t *ret_len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc(len / 3 * 4 + 5), *to = text;
	size_t i;

	if (!text)
		return NULL;
	for (i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)bytes[i] << 16;

		if (left > 1)
			bits |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			bits |= bytes[i + 2];
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[bits & 63] : '=';
	}
	*ret_len = (size_t)(to - text);
	return text;
}

static json_t *from_opaque(const void *bytes, size_t len)
{
	cleanup_free char *text = NULL;
	size_t text_len;

	text = base64_of(bytes, len, &text_len);
	return text ? json_pack("{s:s%}", "base64", text, text_len) : NULL;
}

json_t *json_from_bytes(const void *bytes, size_t len)
{
	/* json_stringn() refuses what is not UTF-8. */
	json_t *text = json_stringn(len ? bytes : "", len);

	return text ? text : from_opaque(bytes, len);
}

/* Bytes beside the value; NULL if they cannot be had. */
static json_t *from_part(const struct value *v, unsigned index)
{
	const void *bytes;
	size_t len;

	if (!v->part || v->part(v->owner, index, &bytes, &len) < 0)
		return NULL;
	return json_from_bytes(bytes, len);
}

static json_t *from_ext(const struct value *v, int8_t type, const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = NULL;
	size_t text_len, i;
	uint64_t id = 0;
	json_t *part;

	part = type == PROTO_EXT_FD && len == 1 ? from_part(v, *bytes) : NULL;
	if (part)
		return part;
	if (type == PROTO_EXT_FUTURE && len == sizeof(id)) {
		for (i = 0; i < len; i++)
			id = id << 8 | bytes[i];
		return json_pack("{s:I}", "future", (json_int_t)id);
	}
	text = base64_of(bytes, len, &text_len);
	return text ? json_pack("{s:i, s:s%}", "ext", (int)type, "base64", text, text_len) : NULL;
}

static json_t *from_integer(struct cursor *c)
{
	char text[24];
	uint64_t big;
	int64_t value;

	if (cursor_int(c, &value))
		return json_integer(value);
	if (!cursor_uint(c, &big))
		return NULL;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)big);
	return json_string(text);
}

/* Steals value: into an array, or into an object under key. */
static bool add_element(json_t *to, const char *key, json_t *value)
{
	if (!value)
		return false;
	return (key ? json_object_set_new(to, key, value) : json_array_append_new(to, value)) == 0;
}

static json_t *from_cursor(const struct value *v, struct cursor *c);

static json_t *from_array(const struct value *v, struct cursor *c, uint32_t n)
{
	json_t *array = json_array();

	while (array && n-- > 0) {
		if (!add_element(array, NULL, from_cursor(v, c))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static char *key_of(const struct value *v, struct cursor *c)
{
	json_t *key = from_cursor(v, c);
	char *text = NULL;

	if (json_is_string(key))
		text = strdup(json_string_value(key));
	else if (key)
		text = json_dumps(key, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(key);
	return text;
}

static json_t *from_map(const struct value *v, struct cursor *c, uint32_t n)
{
	json_t *map = json_object();

	while (map && n-- > 0) {
		cleanup_free char *key = key_of(v, c);

		if (!key || !add_element(map, key, from_cursor(v, c))) {
			json_decref(map);
			map = NULL;
		}
	}
	return map;
}

static json_t *from_cursor(const struct value *v, struct cursor *c)
{
	const void *bytes;
	size_t len;
	uint32_t n;
	double number;
	int8_t type;
	bool truth;

	switch (cursor_peek(c)) {
	case CURSOR_NIL: return cursor_nil(c) ? json_null() : NULL;
	case CURSOR_BOOL: return cursor_bool(c, &truth) ? json_boolean(truth) : NULL;
	case CURSOR_INT: return from_integer(c);
	case CURSOR_FLOAT:
		if (!cursor_number(c, &number))
			return NULL;
		return isfinite(number) ? json_real(number) : json_null();
	case CURSOR_STR:
	case CURSOR_BIN: return cursor_bytes(c, &bytes, &len) ? json_from_bytes(bytes, len) : NULL;
	case CURSOR_ARRAY: return cursor_array(c, &n) ? from_array(v, c, n) : NULL;
	case CURSOR_MAP: return cursor_map(c, &n) ? from_map(v, c, n) : NULL;
	case CURSOR_EXT:
		return cursor_ext(c, &type, &bytes, &len) ? from_ext(v, type, bytes, len) : NULL;
	case CURSOR_END: break;
	}
	return NULL;
}

json_t *json_from_value(const struct value *v)
{
	struct cursor c = v->c;

	return from_cursor(v, &c);
}

void json_pack_value(struct bufpack *p, const json_t *value)
{
	const char *key;
	json_t *element;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		bufpack_map(p, json_object_size(value));
		json_object_foreach ((json_t *)value, key, element) {
			bufpack_text(p, key);
			json_pack_value(p, element);
		}
		break;
	case JSON_ARRAY:
		bufpack_array(p, json_array_size(value));
		json_array_foreach (value, i, element)
			json_pack_value(p, element);
		break;
	case JSON_STRING:
		bufpack_text_n(p, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER: bufpack_int(p, json_integer_value(value)); break;
	case JSON_REAL: bufpack_double(p, json_real_value(value)); break;
	case JSON_TRUE:
	case JSON_FALSE: bufpack_bool(p, json_is_true(value)); break;
	case JSON_NULL: bufpack_nil(p); break;
	}
}

int json_stamp_time(json_t *map, const char *key, const char *key_ns)
{
	const json_t *value = json_object_get(map, key);
	double seconds = json_number_value(value);
	char text[40];
	struct tm tm;
	int64_t us;
	time_t s;
	size_t n;

	if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e11))
		return 0;
	us = (int64_t)(seconds * 1e6 + 0.5);
	s = (time_t)(us / 1000000);
	if (!gmtime_r(&s, &tm))
		return 0;
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%06dZ", (int)(us % 1000000));
	if (json_object_set_new(map, key, json_string(text)) < 0 ||
		json_object_set_new(map, key_ns, json_integer(us * 1000)) < 0)
		return -ENOMEM;
	return 0;
}
