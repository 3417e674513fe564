/* set: what is changed of a future later. */
#include <errno.h>

#include "daemon/extra.h"
#include "daemon/reply.h"
#include "daemon/request.h"
#include "proto/jobspec.h"

#define CHANGES (JOBSPEC_BIT(PRIORITY) | JOBSPEC_BIT(LABEL) | JOBSPEC_BIT(TTL))

static bool read_changes(struct request *r, struct jobspec *ret)
{
	struct jobspec_error why;

	*ret = (struct jobspec){0};
	if (!request_next(r) || cursor_nil(&r->params))
		return true;
	if (jobspec_parse(ret, &r->params, CHANGES, &why) == 0)
		return true;
	request_fail(r, (enum outcome_code)why.code, "%s", why.message);
	return false;
}

/* All or nothing: what can fail comes first. */
static bool change(struct request *r, struct future *f, const struct jobspec *to)
{
	int32_t before = f->priority;
	struct refusal why;
	int e = 0;

	if (to->set & JOBSPEC_BIT(PRIORITY))
		e = core_set_priority(f, to->priority);
	if (e == CORE_E_OVER) {
		request_fail(r, OUTCOME_E_BAD_REQUEST,
			"future %llu is %s: a priority would order nothing any more",
			(unsigned long long)f->id,
			outcome_state_name((enum outcome_state)f->state));
		return false;
	}
	if (e == 0 && to->set & JOBSPEC_BIT(LABEL)) {
		e = extra_set_label(f, to->label, to->label_len, &why);
		if (e && to->set & JOBSPEC_BIT(PRIORITY))
			(void)!core_set_priority(f, before); /* room for this there is by now */
	}
	if (e) {
		request_fail_charge(r, e, &why);
		return false;
	}
	if (to->set & JOBSPEC_BIT(TTL))
		core_set_ttl(&r->server->core, f, to->ttl_us);
	return true;
}

void request_set(struct request *r)
{
	struct future *f = request_future(r);
	struct jobspec to;

	if (f && read_changes(r, &to) && change(r, f, &to))
		reply_true(reply_to_request(r));
}
