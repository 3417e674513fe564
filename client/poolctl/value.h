/* A MessagePack value that the library gave, with the byte strings that lie beside it. */
#pragma once

#include <stdbool.h>

#include "client/poold-map.h"
#include "proto/cursor.h"

struct value {
	struct cursor c;
	/* The bytes that ext type 1 names; NULL: there are none. 0 or -errno. */
	int (*part)(void *owner, unsigned index, const void **ret_bytes, size_t *ret_len);
	void *owner; /* a reply or a future: the value lives as long as it does */
};

/* False: there is none. */
must_check bool value_of_reply(
	struct value *ret, poold_reply *reply); /* or the details of its error */
must_check bool value_of_result(struct value *ret, poold_future *f);
must_check bool value_of_item(struct value *ret, const poold_map_item *item);
must_check bool value_of_details(struct value *ret, poold_future *f);

/* The element of a map. False: no map, or not there. */
must_check bool value_find(const struct value *map, const char *key, struct value *ret);
/* A byte string or text, here or beside. */
must_check bool value_bytes(const struct value *v, const void **ret_bytes, size_t *ret_len);
must_check bool value_integer(const struct value *v, int64_t *ret);
bool value_is_true(const struct value *v);
/* Has it the form of what a command leaves? */
bool value_is_of_command(const struct value *v);
