/* MessagePack values as JSON, and back.
 *
 *	nil, bool, numbers	the same; integers above 2^63 - 1 as text, a float that is no number as null
 *	str, bin		text if it is UTF-8, else {"base64": "…"}
 *	array, map		the same; a key that is no text becomes its JSON
 *	ext type 1		the bytes that it names, as above
 *	other ext		{"future": ID}, or {"ext": type, "base64": "…"}
 */
#pragma once

#include <jansson.h>

#include "client/poolctl/value.h"
#include "proto/buf.h"

/* The value, which scan accepted. NULL without memory. */
must_check json_t *json_from_value(const struct value *v);
/* Text if it is UTF-8, else {"base64": "…"}. NULL without memory. */
must_check json_t *json_from_bytes(const void *bytes, size_t len);
/* Errors are the bufpack's. */
void json_pack_value(struct bufpack *p, const json_t *value);
/* Unix seconds below this key of a map become an RFC 3339 text, and below key_ns an integer. What
 * is no map, or has no such time, stays as it is. 0 or -ENOMEM. */
must_check int json_stamp_time(json_t *map, const char *key, const char *key_ns);
