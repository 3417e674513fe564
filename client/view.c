/* What a future tells: nothing here asks the daemon. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"
#include "proto/text.h"

poold_public poold *poold_future_get_handle(const poold_future *f)
{
	return f ? f->handle : NULL;
}

poold_public uint64_t poold_future_get_id(const poold_future *f)
{
	return f ? f->by_id.key : 0;
}

poold_public poold_state poold_future_get_state(const poold_future *f)
{
	return f ? (poold_state)f->state : POOLD_SENT;
}

static bool has_result(const poold_future *f)
{
	return f->state == POOLD_DONE && f->value.bytes && !cl_value_is_error(&f->value);
}

poold_public int poold_future_get_bytes(poold_future *f, const void **ret_bytes, size_t *ret_len)
{
	struct cursor c;

	if (!f || !ret_bytes || !ret_len)
		return -EINVAL;
	if (!has_result(f))
		return -ENODATA;
	c = cl_value_encoded(&f->value);
	return cl_value_get_bytes(&f->value, &c, ret_bytes, ret_len);
}

static int get_encoded(poold_future *f, const void **ret_encoded, size_t *ret_len)
{
	struct cursor c = cl_value_encoded(&f->value);

	if (cursor_at_end(&c))
		return -ENODATA;
	*ret_encoded = c.p;
	*ret_len = cursor_len(&c);
	return 0;
}

poold_public int poold_future_get_encoded(
	poold_future *f, const void **ret_encoded, size_t *ret_len)
{
	if (!f || !ret_encoded || !ret_len)
		return -EINVAL;
	return has_result(f) ? get_encoded(f, ret_encoded, ret_len) : -ENODATA;
}

poold_public int poold_future_get_fd(poold_future *f, unsigned index, size_t *ret_len)
{
	return f ? cl_value_get_fd(&f->value, index, ret_len) : -EINVAL;
}

poold_public int poold_future_get_part(
	poold_future *f, unsigned index, const void **ret_bytes, size_t *ret_len)
{
	if (!f || !ret_bytes || !ret_len)
		return -EINVAL;
	return cl_value_get_part(&f->value, index, ret_bytes, ret_len);
}

poold_public int poold_future_get_error(
	poold_future *f, const char **ret_code, const char **ret_message)
{
	if (!f || !ret_code)
		return -EINVAL;
	if (!cl_value_is_error(&f->value))
		return 0;
	*ret_code = cl_value_code(&f->value);
	if (ret_message)
		*ret_message = cl_value_message(&f->value);
	return 1;
}

poold_public int poold_future_get_details(
	poold_future *f, const void **ret_encoded, size_t *ret_len)
{
	if (!f || !ret_encoded || !ret_len)
		return -EINVAL;
	return cl_value_is_error(&f->value) ? get_encoded(f, ret_encoded, ret_len) : -ENODATA;
}

bool cl_future_find_detail(const poold_future *f, const char *wanted, struct cursor *ret)
{
	struct cursor c = cl_value_encoded(&f->value), value;
	const char *key;
	uint32_t n;
	size_t len;

	if (!cursor_map(&c, &n))
		return false;
	while (n-- > 0 && cursor_text(&c, &key, &len) && cursor_skip(&c, &value)) {
		if (text_equal(key, len, wanted)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* A command's map is the result of one that exited with 0, and the details of another's failure. */
static bool find_in_command(const poold_future *f, const char *wanted, struct cursor *ret)
{
	return (f->state == POOLD_DONE || f->state == POOLD_FAILED) &&
	       cl_future_find_detail(f, wanted, ret);
}

poold_public poold_clock poold_future_get_clock(poold_future *f)
{
	static const char *const words[] = {[POOLD_CLOCK_START_WITHIN] = "start_within",
		[POOLD_CLOCK_TIMEOUT] = "timeout",
		[POOLD_CLOCK_DEADLINE] = "deadline"};
	const char *word;
	struct cursor c;
	size_t len;

	if (!f || f->state != POOLD_TIMEOUT || !cl_future_find_detail(f, "clock", &c) ||
		!cursor_text(&c, &word, &len))
		return POOLD_CLOCK_NONE;
	for (int i = POOLD_CLOCK_START_WITHIN; i <= POOLD_CLOCK_DEADLINE; i++)
		if (text_equal(word, len, words[i]))
			return (poold_clock)i;
	return POOLD_CLOCK_NONE;
}

/* nil, and none at all if there is the other number, is `absent`. */
static int number_of(struct cursor *c, int absent)
{
	int64_t v;

	return cursor_int(c, &v) && v >= INT32_MIN && v <= INT32_MAX ? (int)v : absent;
}

poold_public int poold_future_get_exit(poold_future *f, int *ret_exit_code, int *ret_signal)
{
	struct cursor code = {}, signal = {};
	bool has_code, has_signal;

	if (!f)
		return -EINVAL;
	has_code = find_in_command(f, "exit_code", &code);
	has_signal = find_in_command(f, "signal", &signal);
	if (!has_code && !has_signal)
		return -ENODATA;
	if (ret_exit_code)
		*ret_exit_code = number_of(&code, -1);
	if (ret_signal)
		*ret_signal = number_of(&signal, 0);
	return 0;
}

poold_public int poold_future_get_output(
	poold_future *f, int stream, const void **ret_bytes, size_t *ret_len, int *ret_truncated)
{
	static const char *const names[][2] = {
		{"stdout", "stdout_truncated"}, {"stderr", "stderr_truncated"}};
	struct cursor c;
	bool is_truncated = false;
	int r;

	if (!f || stream < 1 || stream > 2 || !ret_bytes || !ret_len)
		return -EINVAL;
	if (!find_in_command(f, names[stream - 1][0], &c))
		return -ENODATA;
	r = cl_value_get_bytes(&f->value, &c, ret_bytes, ret_len);
	if (r < 0)
		return r == -ENOMSG ? -ENODATA : r;
	if (ret_truncated) {
		if (find_in_command(f, names[stream - 1][1], &c) && !cursor_bool(&c, &is_truncated))
			is_truncated = false;
		*ret_truncated = is_truncated;
	}
	return 0;
}

poold_public int poold_future_get_timing(poold_future *f, poold_timing *ret_timing)
{
	if (!f || !ret_timing || ret_timing->size < sizeof(*ret_timing))
		return -EINVAL;
	if (!f->has_timing)
		return -ENODATA;
	ret_timing->queued_us = f->timing_us[0];
	ret_timing->handover_us = f->timing_us[1];
	ret_timing->run_us = f->timing_us[2];
	ret_timing->return_us = f->timing_us[3];
	return 0;
}
