#include "proto/rpc.h"

/* Behind the type: request and notification share the tail [method, params]. */
static bool parse_call(struct rpc *m, struct cursor *c)
{
	if (!cursor_text(c, &m->method, &m->method_len) || !cursor_array(c, &m->n_params))
		return false;
	m->params = *c;
	return true;
}

static bool parse_msgid(struct rpc *m, struct cursor *c)
{
	uint64_t v;

	if (!cursor_uint(c, &v) || v > UINT32_MAX)
		return false;
	m->msgid = (uint32_t)v;
	return true;
}

/* The message's last element, so it is all that is left. */
static bool parse_result(struct rpc *m, struct cursor *c)
{
	m->result = *c;
	return !cursor_at_end(c);
}

static bool parse(struct rpc *m, struct cursor *c)
{
	uint32_t n;
	uint64_t type;

	if (!cursor_array(c, &n) || !cursor_uint(c, &type) || type > RPC_NOTIFICATION)
		return false;
	m->type = (enum rpc_type)type;
	if (n != (m->type == RPC_NOTIFICATION ? 3 : 4) ||
		(m->type != RPC_NOTIFICATION && !parse_msgid(m, c)))
		return false;
	if (m->type == RPC_ANSWER)
		return cursor_skip(c, &m->error) && parse_result(m, c);
	return parse_call(m, c);
}

int rpc_parse(struct rpc *ret, const uint8_t *bytes, size_t len)
{
	struct cursor c = cursor_of(bytes, len);
	struct rpc m = {};

	if (!parse(&m, &c))
		return RPC_E_ENVELOPE;
	*ret = m;
	return 0;
}
