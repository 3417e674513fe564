/* Requests to a zygote: one `setup`, then as many `fork` as workers are wanted. The answers are
 * zygote_reader's. */
#include "daemon/zygote_request.h"

#include "daemon/cgroup.h"
#include "proto/rpc.h"

/* NULL: nil. */
static void pack_text(struct bufpack *p, const char *key, const char *text)
{
	bufpack_text(p, key);
	if (text)
		bufpack_text(p, text);
	else
		bufpack_nil(p);
}

static void pack_limits(struct bufpack *p, const struct config_pool *c)
{
	static const char *const names[] = {
#define LIMIT(name) #name,
		CONFIG_LIMITS(LIMIT)
#undef LIMIT
	};
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		n += c->limits[i] != 0;
	bufpack_text(p, "limits");
	bufpack_map(p, n);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!c->limits[i])
			continue;
		bufpack_text(p, names[i]);
		bufpack_uint(p, c->limits[i] == UINT64_MAX ? UINT64_MAX : c->limits[i] - 1);
	}
}

/* procs: it is to join its cgroup by this file; -1: none. */
static void pack_setup(struct bufpack *p, const struct config_pool *c, int procs)
{
	size_t n_env = 0;

	while (c->env && c->env[n_env])
		n_env++;
	rpc_pack_request(p, ZYGOTE_SETUP_MSGID, "setup");
	bufpack_array(p, 1);
	bufpack_map(p, 11u + (procs >= 0));
	pack_text(p, "pool", c->name);
	pack_text(p, "handler", c->handler == HANDLER_EXEC ? "exec" : "module");
	pack_text(p, "module", c->module);
	bufpack_field_uint(p, "output_bytes", c->output_bytes);
	bufpack_field_uint(p, "cache_bytes", c->cache_bytes);
	pack_text(p, "cwd", c->cwd);
	pack_text(p, "user", c->user);
	pack_text(p, "cpu_affinity", c->cpu_affinity);
	bufpack_text(p, "nice");
	if (c->nice)
		bufpack_int(p, c->nice - CONFIG_NICE_OFFSET);
	else
		bufpack_nil(p);
	pack_limits(p, c);
	bufpack_text(p, "env");
	bufpack_array(p, n_env);
	for (size_t i = 0; i < n_env; i++)
		bufpack_text(p, c->env[i]);
	if (procs < 0)
		return;
	bufpack_text(p, "cgroup");
	bufpack_ext_fd(p, 0);
}

static int send_packed(struct zygote *z, const struct bufpack *p, const int *fds, unsigned n_fds)
{
	struct buf *b = p->buf;
	struct iovec iov = {(void *)buf_head(b), buf_used(b)};
	ssize_t n;

	if (bufpack_error(p) < 0)
		return bufpack_error(p);
	n = fdpass_send(z->control, &iov, 1, MSG_DONTWAIT, fds, n_fds);
	return n < 0 ? (int)n : 0;
}

int zygote_request_setup(struct zygote *z)
{
	cleanup_fd int procs = cgroup_pool_open_procs(&z->cgroup);
	struct bufpack p;

	buf_clear(&z->links->send);
	bufpack_init(&p, &z->links->send);
	pack_setup(&p, z->config, procs);
	return send_packed(z, &p, &procs, procs >= 0);
}

int zygote_request_fork(struct zygote *z, uint32_t msgid, const struct worker_link *l, int output)
{
	cleanup_fd int procs = cgroup_open_procs(&l->cgroup);
	const int fds[] = {l->twin, output, procs, l->cgroup.job};
	unsigned n = procs < 0 ? 2 : 4;
	struct bufpack p;

	buf_clear(&z->links->send);
	bufpack_init(&p, &z->links->send);
	rpc_pack_request(&p, msgid, "fork");
	bufpack_array(&p, n);
	for (unsigned i = 0; i < n; i++)
		bufpack_ext_fd(&p, (uint8_t)i);
	return send_packed(z, &p, fds, n);
}
