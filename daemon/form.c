/* What is kept is compared byte by byte with what comes, so the same bytes mean the same, whoever
 * sends them: options unless they point into the message or have the request wait; a function as
 * long as no pool comes or goes and it is there itself. Whether a client may use the pool is asked
 * each time.
 */
#include "daemon/form.h"

#include <string.h>

#include "daemon/order.h"

#define KEPT_OPTIONS                                                                               \
	(JOBSPEC_FOR_SUBMIT &                                                                      \
		~(JOBSPEC_BIT(GROUP) | JOBSPEC_BIT(LABEL) | JOBSPEC_BIT(TRACE) |                   \
			JOBSPEC_BIT(KEY) | JOBSPEC_WAITS | JOBSPEC_BIT(ADMIT_WITHIN)))

static bool is_at(const struct cursor *c, const struct form_part *k)
{
	return k->n && k->n <= cursor_len(c) && memcmp(c->p, k->bytes, k->n) == 0;
}

static void keep(struct form_part *k, const uint8_t *begin, const uint8_t *end)
{
	k->n = (size_t)(end - begin);
	if (k->n <= sizeof(k->bytes))
		memcpy(k->bytes, begin, k->n);
	else
		k->n = 0;
}

bool form_take_function(struct order *o)
{
	struct request *r = o->r;
	struct form *form = &r->server->form;

	if (!is_at(&r->params, &form->address) ||
		form->n_pool_changes != r->server->core.n_pool_changes || form->function->is_gone ||
		!request_next(r))
		return false;
	r->params.p += form->address.n;
	o->pool = form->pool;
	o->function = form->function;
	return true;
}

void form_keep_function(const struct order *o, const uint8_t *begin)
{
	struct form *form = &o->r->server->form;

	keep(&form->address, begin, o->r->params.p);
	form->n_pool_changes = o->r->server->core.n_pool_changes;
	form->pool = o->pool;
	form->function = o->function;
}

bool form_take_options(struct order *o, uint32_t allowed)
{
	struct request *r = o->r;
	const struct form *form = &r->server->form;

	if (r->n_params != 1 || cursor_len(&r->params) != form->options.n ||
		!is_at(&r->params, &form->options) || form->spec.set & ~allowed)
		return false;
	r->n_params = 0;
	r->params.p = r->params.end;
	o->spec = form->spec;
	return true;
}

void form_keep_options(const struct order *o, const uint8_t *begin)
{
	struct form *form = &o->r->server->form;

	if (o->spec.set & ~KEPT_OPTIONS)
		return;
	keep(&form->options, begin, o->r->params.p);
	form->spec = o->spec;
}
