/* An unknown key is refused by its name, a wrong value by the key's: a misspelt time-out must not
 * be silence.
 */
#include "daemon/option.h"

#include "proto/jobspec.h"

static bool read_one(struct request *r, const struct option *options, size_t n_options,
	uint32_t *seen, void *into)
{
	const char *key;
	size_t len;

	if (!cursor_text(&r->params, &key, &len)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "the keys of options are text");
		return false;
	}
	for (size_t i = 0; i < n_options; i++) {
		if (!text_equal(key, len, options[i].key))
			continue;
		if (*seen & 1u << i) {
			request_fail(r, OUTCOME_E_BAD_REQUEST, "option \"%s\" is given twice",
				options[i].key);
			return false;
		}
		*seen |= 1u << i;
		return options[i].read(r, options[i].key, (char *)into + options[i].offset);
	}
	request_fail(r, OUTCOME_E_UNKNOWN_OPTION, "unknown option \"%.*s\"",
		(int)(len < 64 ? len : 64), key);
	return false;
}

bool option_read(struct request *r, const struct option *options, size_t n_options, void *into)
{
	uint32_t n = 0, seen = 0;

	if (!request_next(r) || cursor_nil(&r->params))
		return true;
	if (!cursor_map(&r->params, &n)) {
		request_fail(r, OUTCOME_E_BAD_REQUEST, "options are a map");
		return false;
	}
	for (; n > 0; n--)
		if (!read_one(r, options, n_options, &seen, into))
			return false;
	return true;
}

bool option_refuse(struct request *r, const char *key, const char *wanted)
{
	request_fail(r, OUTCOME_E_BAD_REQUEST, "option %s: %s is wanted", key, wanted);
	return false;
}

bool option_timeout(struct request *r, const char *key, void *into)
{
	if (cursor_nil(&r->params) || jobspec_seconds(&r->params, true, into))
		return true;
	return option_refuse(r, key, "a time in seconds, 0 or more,");
}

bool option_time(struct request *r, const char *key, void *into)
{
	if (cursor_nil(&r->params) || jobspec_seconds(&r->params, false, into))
		return true;
	return option_refuse(r, key, "a time in seconds, more than 0,");
}

bool option_bool(struct request *r, const char *key, void *into)
{
	return cursor_bool(&r->params, into) || option_refuse(r, key, "true or false");
}

bool option_number(struct request *r, const char *key, void *into)
{
	return cursor_uint(&r->params, into) || option_refuse(r, key, "a number");
}

bool option_text(struct request *r, const char *key, void *into)
{
	struct text_view *view = into;

	return cursor_text(&r->params, &view->text, &view->len) || option_refuse(r, key, "text");
}
