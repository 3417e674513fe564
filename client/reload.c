#include <errno.h>

#include "client/client_internal.h"

#include "client/poold-request.h"

DEFINE_CLEANUP(poold_reply *, poold_reply_unref)

static void pack_restarts(struct bufpack *p, const char *const *restart, size_t n)
{
	bufpack_array(p, 2);
	bufpack_nil(p);
	bufpack_map(p, n > 0);
	if (n == 0)
		return;
	bufpack_text(p, "restart");
	bufpack_array(p, n);
	for (size_t i = 0; i < n; i++)
		bufpack_text(p, restart[i]);
}

poold_public int poold_reload(poold *p, const char *const *restart, size_t n_restart,
	uint64_t timeout_us, poold_reply **ret_reply)
{
	cleanup(poold_reply_unrefp) poold_reply *reply = NULL;
	struct cl_answer a;
	int r;

	for (size_t i = 0; i < n_restart; i++)
		if (!restart || !restart[i])
			return -EINVAL;
	r = cl_answer_begin(&a, p, "reload");
	if (r < 0)
		return r;
	pack_restarts(&a.draft.pk, restart, n_restart);
	r = cl_answer_wait(&a, timeout_us, &reply);
	if (r == 0 && cl_value_is_error(&reply->value))
		r = cl_fail_refused(p, &reply->value);
	if (r == 0 && ret_reply)
		*ret_reply = take_ptr(reply);
	return r;
}
