#include "daemon/after.h"

#include <errno.h>
#include <stdlib.h>

static bool append(struct request *r, const struct jobspec_ids *ids, bool is_any,
	struct after *list, uint32_t *n)
{
	struct cursor c = ids->encoded;
	uint64_t id;

	for (uint32_t i = 0; i < ids->n && cursor_uint(&c, &id); i++) {
		struct future *f = request_find_or_fail(r, id);

		if (!f)
			return false;
		list[(*n)++] = (struct after){.on = f, .is_any = is_any};
	}
	return true;
}

bool after_find(struct request *r, const struct jobspec *spec, struct after **ret, uint32_t *ret_n)
{
	size_t most = (size_t)spec->after.n + spec->after_any.n;
	cleanup_free struct after *list = NULL;
	uint32_t n = 0;

	if (most) {
		list = calloc(most, sizeof(*list));
		if (!list) {
			request_fail_errno(r, -ENOMEM);
			return false;
		}
	}
	if (!append(r, &spec->after, false, list, &n) ||
		!append(r, &spec->after_any, true, list, &n))
		return false;
	*ret = take_ptr(list);
	*ret_n = n;
	return true;
}
