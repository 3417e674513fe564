#include "daemon/content.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/limits.h"

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

	lasting.set &= ~JOBSPEC_BIT(DELIVER);
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
	struct stat st;
	int r;

	siphash_begin(&h, &core->seed);
	add_text(&h, function ? function->pool->name : "");
	add_text(&h, function ? function->name : "");
	r = add_options(&h, spec);
	if (r < 0)
		return r;
	siphash_add(&h, value->p, cursor_len(value));
	for (unsigned i = 0; i < n_fds; i++) {
		if (fstat(fds[i], &st) < 0)
			return -errno;
		add_number(&h, (uint64_t)st.st_size);
	}
	*ret = siphash_end(&h);
	return 0;
}
