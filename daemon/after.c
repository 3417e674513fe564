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

	list = calloc(most + 1, sizeof(*list));
	if (!list) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	if (!append(r, &spec->after, false, list, &n) ||
		!append(r, &spec->after_any, true, list, &n))
		return false;
	*ret = take_ptr(list);
	*ret_n = n;
	return true;
}

bool after_add_inputs(struct request *r, const struct survey *input, uint64_t end_id,
	struct after **list, uint32_t *n)
{
	struct after *more;

	more = reallocarray(*list, (size_t)*n + input->n_ids, sizeof(*more));
	if (!more) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	*list = more;
	for (unsigned i = 0; i < input->n_ids; i++) {
		uint64_t id = input->ids[i];
		struct future *f = request_find_before(r, id, end_id);

		if (!f)
			return false;
		(*list)[(*n)++] = (struct after){.on = f, .is_input = true};
	}
	return true;
}

bool after_again(struct request *r, const struct future *f, struct after **ret, uint32_t *ret_n)
{
	const struct edge *e = NULL;
	struct after *list;
	uint32_t n = 0;

	if (!edges_next_input(f, NULL))
		return true;
	list = calloc(future_terms(f)->n_edges, sizeof(*list));
	if (!list) {
		request_fail_errno(r, -ENOMEM);
		return false;
	}
	while ((e = edges_next_input(f, e)))
		list[n++] = (struct after){.on = e->on, .is_input = true};
	*ret = list;
	*ret_n = n;
	return true;
}
