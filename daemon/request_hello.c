/* hello, ping: who is there, and what it can do. */
#include <config.h>

#include <unistd.h>

#include "daemon/option.h"
#include "daemon/reply.h"
#include "proto/jobspec.h"

static const char *const method_names[] = {
#define X(name, fewest, most) #name,
#include "daemon/methods.def"
#undef X
};

static void pack_features(struct bufpack *p)
{
	/* what not every version had: futures in an input, and of the keys of a command */
	static const char *const of_inputs[] = {"inputs", "stdout", "stderr", "ctty"};

	bufpack_text(p, "features");
	bufpack_array(p, ARRAY_SIZE(method_names) + _JOBSPEC_MAX + ARRAY_SIZE(of_inputs));
	for (size_t i = 0; i < ARRAY_SIZE(method_names); i++)
		bufpack_text(p, method_names[i]);
	for (int o = 0; o < _JOBSPEC_MAX; o++)
		bufpack_text(p, jobspec_option_name((enum jobspec_option)o));
	for (size_t i = 0; i < ARRAY_SIZE(of_inputs); i++)
		bufpack_text(p, of_inputs[i]);
}

static void pack_hello_limits(struct bufpack *p, const struct account_limits *limits)
{
	bufpack_text(p, "limits");
	bufpack_map(p, 9 + _ACCOUNT_KIND_MAX);
	bufpack_field_uint(p, "message_bytes", PROTO_MESSAGE_BYTES);
	bufpack_field_uint(p, "inline_bytes", PROTO_INLINE_BYTES);
	bufpack_field_uint(p, "message_fds", PROTO_MESSAGE_FDS);
	bufpack_field_uint(p, "job_fds", PROTO_JOB_FDS);
	bufpack_field_uint(p, "job_values", PROTO_JOB_VALUES);
	bufpack_field_uint(p, "values_bytes", PROTO_VALUES_BYTES);
	bufpack_field_uint(p, "result_fds", PROTO_RESULT_FDS);
	bufpack_field_uint(p, "depth", PROTO_VALUE_DEPTH);
	bufpack_field_uint(p, "retries", PROTO_RETRIES_MAX);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		bufpack_field_uint(p, account_kind_name((enum account_kind)k), limits->uid.n[k]);
}

static bool read_anything(struct request *r, const char *key, void *into)
{
	return cursor_skip(&r->params, NULL);
}

static const struct option hello_options[] = {
	{"fds", option_bool, 0},
	{"client", read_anything, 0},
	{"version", read_anything, 0},
};

void request_hello(struct request *r)
{
	bool wants_fds = r->conn->wants_fds;
	struct bufpack *p;

	if (!option_read(r, hello_options, ARRAY_SIZE(hello_options), &wants_fds))
		return;
	r->conn->wants_fds = wants_fds;
	p = reply_begin(reply_to_request(r));
	bufpack_map(p, 7);
	bufpack_field_text(p, "server", "poold");
	bufpack_field_text(p, "version", PACKAGE_VERSION);
	bufpack_field_uint(p, "protocol", PROTO_VERSION);
	bufpack_field_uint(p, "pid", (uint64_t)getpid());
	bufpack_field_uint(p, "uid", geteuid());
	pack_features(p);
	pack_hello_limits(p, &r->server->core.accounts.limits);
	reply_end();
}

void request_ping(struct request *r)
{
	bufpack_text(reply_begin(reply_to_request(r)), "pong");
	reply_end();
}
