/* Messages as the daemon reads them: scan, envelope, options. And the same parsers over bytes that
 * nothing has checked: a promise that nobody relies on, but that must hold. */
#include "proto/rpc.h"

#include <string.h>

#include "proto/jobspec.h"
#include "proto/limits.h"
#include "proto/outcome.h"
#include "proto/scan.h"
#include "tests/fuzz/fuzz.h"

static void must_lie_in(const uint8_t *bytes, size_t len, const void *p, size_t n)
{
	must((const uint8_t *)p >= bytes && (const uint8_t *)p <= bytes + len);
	must(n <= (size_t)(bytes + len - (const uint8_t *)p));
}

static void must_be_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
	must(a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0));
}

/* Packed again and parsed again it is the same. */
static void must_survive(const struct jobspec *s)
{
	struct buf b = BUF_INIT(4096);
	struct jobspec_error error;
	struct jobspec again;
	struct bufpack p;
	struct cursor c;

	bufpack_init(&p, &b);
	jobspec_pack(&p, s);
	must(bufpack_error(&p) == 0);
	must(scan_value(buf_head(&b), buf_used(&b), 1, NULL) == 0);
	c = cursor_of(buf_head(&b), buf_used(&b));
	must(jobspec_parse(&again, &c, JOBSPEC_FOR_SUBMIT, &error) == 0);
	must(again.set == s->set && again.priority == s->priority);
	must(again.deliver == s->deliver && again.attached == s->attached);
	must(again.timeout_us == s->timeout_us && again.grace_us == s->grace_us);
	must(again.ttl_us == s->ttl_us);
	must_be_equal(again.group, again.group_len, s->group, s->group_len);
	must_be_equal(again.label, again.label_len, s->label, s->label_len);
	must_be_equal(again.trace, again.trace_len, s->trace, s->trace_len);
	buf_deinit(&b);
}

static void must_be_a_sentence(const struct jobspec_error *e)
{
	size_t len = strnlen(e->message, sizeof(e->message));

	must(e->code == OUTCOME_E_BAD_REQUEST || e->code == OUTCOME_E_UNKNOWN_OPTION);
	must(len > 0 && len < sizeof(e->message) - 1); /* nothing cut */
	for (size_t i = 0; i < len; i++)
		must(e->message[i] >= 0x20 && e->message[i] < 0x7f);
}

static void try_options(const struct cursor *at, uint32_t allowed)
{
	struct jobspec_error error = {};
	struct cursor c = *at;
	struct jobspec s;

	if (jobspec_parse(&s, &c, allowed, &error) != 0) {
		must(c.p == at->p);
		must_be_a_sentence(&error);
		return;
	}
	must(c.p > at->p && c.p <= c.end);
	must((s.set & ~allowed) == 0);
	must(s.group_len <= PROTO_GROUP_BYTES && s.label_len <= PROTO_LABEL_BYTES);
	must(s.trace_len <= PROTO_TRACE_BYTES);
	must_survive(&s);
}

static void try_message(const uint8_t *bytes, size_t len, bool is_checked)
{
	struct rpc m;

	if (rpc_parse(&m, bytes, len) != 0)
		return;
	if (m.type == RPC_ANSWER) {
		must_lie_in(bytes, len, m.error.p, cursor_len(&m.error));
		must_lie_in(bytes, len, m.result.p, cursor_len(&m.result));
		must(!is_checked || m.result.end == bytes + len);
		return;
	}
	must_lie_in(bytes, len, m.method, m.method_len);
	for (uint32_t i = 0; i < m.n_params; i++) {
		struct cursor value;

		try_options(&m.params, JOBSPEC_FOR_SUBMIT);
		try_options(&m.params, JOBSPEC_FOR_PUT);
		if (!cursor_skip(&m.params, &value)) {
			must(!is_checked);
			return;
		}
	}
	must(!is_checked || cursor_at_end(&m.params));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, data + size};
	struct scan s;

	scan_init(&s, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	if (scan_step(&s, data, size) == SCAN_DONE)
		try_message(data, s.pos, true);
	try_message(data, size, false);
	try_options(&c, JOBSPEC_FOR_SUBMIT);
	return 0;
}
