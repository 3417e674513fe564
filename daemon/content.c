#include "daemon/content.h"

#include <errno.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/shm.h"

static void add_text(struct siphash *h, const char *text)
{
	siphash_add(h, text, strlen(text) + 1);
}

static void add_number(struct siphash *h, uint64_t n)
{
	siphash_add(h, &n, sizeof(n));
}

/* In the order of their table, however they came. */
static int add_options(struct siphash *h, const struct jobspec *spec)
{
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	struct jobspec lasting = *spec;
	struct bufpack p;
	int r;

	lasting.set &= ~(JOBSPEC_BIT(DELIVER) | JOBSPEC_BIT(ADMIT_WITHIN));
	bufpack_init(&p, &b);
	jobspec_pack(&p, &lasting);
	r = bufpack_error(&p);
	if (r == 0)
		siphash_add(h, buf_head(&b), buf_used(&b));
	buf_deinit(&b);
	return r;
}

int content_of(const struct core *core, const struct function *function, const struct jobspec *spec,
	const struct cursor *value, const int *fds, unsigned n_fds, uint64_t *ret)
{
	struct siphash h;
	size_t size;
	int r;

	siphash_begin(&h, &core->seed);
	add_text(&h, function ? function->pool->name : "");
	add_text(&h, function ? function->name : "");
	r = add_options(&h, spec);
	if (r < 0)
		return r;
	siphash_add(&h, value->p, cursor_len(value));
	for (unsigned i = 0; i < n_fds; i++) {
		r = shm_check(fds[i], SIZE_MAX, &size);
		if (r < 0)
			return r;
		add_number(&h, r == 0 ? size : UINT64_MAX);
	}
	*ret = siphash_end(&h);
	return 0;
}
