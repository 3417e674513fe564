#include "client/poolctl/value.h"

#include "client/poold-request.h"
#include "proto/limits.h"
#include "proto/text.h"

static int part_of_reply(void *owner, unsigned index, const void **ret_bytes, size_t *ret_len)
{
	return poold_reply_get_part(owner, index, ret_bytes, ret_len);
}

static int part_of_future(void *owner, unsigned index, const void **ret_bytes, size_t *ret_len)
{
	return poold_future_get_part(owner, index, ret_bytes, ret_len);
}

bool value_of_reply(struct value *ret, poold_reply *reply)
{
	const void *bytes;
	size_t len;

	if (poold_reply_get_encoded(reply, &bytes, &len) < 0)
		return false;
	*ret = (struct value){cursor_of(bytes, len), part_of_reply, reply};
	return true;
}

bool value_of_result(struct value *ret, poold_future *f)
{
	const void *bytes;
	size_t len;

	if (poold_future_get_encoded(f, &bytes, &len) < 0)
		return false;
	*ret = (struct value){cursor_of(bytes, len), part_of_future, f};
	return true;
}

bool value_of_item(struct value *ret, const poold_map_item *item)
{
	if (!item->encoded)
		return false;
	*ret = (struct value){
		cursor_of(item->encoded, item->encoded_len), part_of_future, item->future};
	return true;
}

bool value_of_details(struct value *ret, poold_future *f)
{
	const void *bytes;
	size_t len;

	if (poold_future_get_details(f, &bytes, &len) < 0)
		return false;
	*ret = (struct value){cursor_of(bytes, len), part_of_future, f};
	return true;
}

bool value_find(const struct value *map, const char *key, struct value *ret)
{
	struct cursor c = map->c, element;
	const char *text;
	size_t len;
	uint32_t n;
	bool is_it;

	if (!cursor_map(&c, &n))
		return false;
	while (n-- > 0) {
		is_it = cursor_peek(&c) == CURSOR_STR || cursor_peek(&c) == CURSOR_BIN;
		if (is_it)
			is_it = cursor_text(&c, &text, &len) && text_equal(text, len, key);
		else if (!cursor_skip(&c, NULL))
			return false;
		if (!cursor_skip(&c, &element))
			return false;
		if (is_it) {
			*ret = (struct value){element, map->part, map->owner};
			return true;
		}
	}
	return false;
}

bool value_bytes(const struct value *v, const void **ret_bytes, size_t *ret_len)
{
	struct cursor c = v->c;
	const uint8_t *index;

	if (cursor_bytes(&c, ret_bytes, ret_len))
		return true;
	index = cursor_fd_index(&c);
	return index && v->part && v->part(v->owner, *index, ret_bytes, ret_len) >= 0;
}

bool value_integer(const struct value *v, int64_t *ret)
{
	struct cursor c = v->c;

	return cursor_int(&c, ret);
}

bool value_is_true(const struct value *v)
{
	struct cursor c = v->c;
	bool is_true;

	return cursor_bool(&c, &is_true) && is_true;
}

bool value_is_of_command(const struct value *v)
{
	struct value element;

	return value_find(v, "stdout", &element) &&
	       (value_find(v, "exit_code", &element) || value_find(v, "signal", &element));
}
