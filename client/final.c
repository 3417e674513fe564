/* The notification `final`: [ID, state, value or nil, error or nil, timing]. Nearly all are of one
 * form, poold's own for a job that is done, with a value that names no fds: such a one is checked
 * and read at one look. Any other, from whatever daemon, goes through scan and the parser of
 * messages; both ways lead to the same end. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"
#include "proto/outcome.h"
#include "proto/text.h"

struct end {
	uint64_t id;
	poold_state state;
	struct cursor value, error;
	bool has_timing;
	uint64_t timing_us[CL_TIMING_MAX];
};

/* ---- times ---- */

/* Which time it is. They come in this order as a rule, so the one whose turn it is is tried first.
 * CL_TIMING_MAX: none. */
static unsigned timing_from(const char *key, size_t len, unsigned turn)
{
	static const struct {
		const char *name;
		size_t len;
	} names[CL_TIMING_MAX] = {{"queued", 6}, {"handover", 8}, {"run", 3}, {"return", 6}};

	for (unsigned i = 0; i < CL_TIMING_MAX; i++, turn++) {
		unsigned k = turn % CL_TIMING_MAX;

		if (names[k].len == len && memcmp(names[k].name, key, len) == 0)
			return k;
	}
	return CL_TIMING_MAX;
}

static void note_time(struct end *end, unsigned which, double seconds)
{
	if (seconds > 0 && seconds < 1e12)
		end->timing_us[which] = (uint64_t)(int64_t)(seconds * 1e6 + 0.5);
	else
		end->timing_us[which] = 0;
}

/* These bytes. In line, so that their length is known to the compiler, as in what calls it. */
#define IN_LINE static inline __attribute__((always_inline))
IN_LINE bool take_bytes(struct cursor *c, const char *bytes)
{
	size_t n = strlen(bytes);

	if (cursor_len(c) < n || memcmp(c->p, bytes, n) != 0)
		return false;
	c->p += n;
	return true;
}

/* A key, and a double behind it. */
IN_LINE bool take_time(struct cursor *c, struct end *end, unsigned which, const char *key_and_lead)
{
	uint64_t bits;
	double seconds;

	if (!take_bytes(c, key_and_lead) || cursor_len(c) < sizeof(bits))
		return false;
	memcpy(&bits, c->p, sizeof(bits));
	bits = be64toh(bits);
	memcpy(&seconds, &bits, sizeof(seconds));
	note_time(end, which, seconds);
	c->p += sizeof(bits);
	return true;
}

/* As poold writes them. */
static bool take_usual_times(struct cursor *c, struct end *end)
{
	return take_bytes(c, "\x84") && take_time(c, end, 0, "\xa6queued\xcb") &&
	       take_time(c, end, 1, "\xa8handover\xcb") && take_time(c, end, 2, "\xa3run\xcb") &&
	       take_time(c, end, 3, "\xa6return\xcb");
}

/* {queued, handover, run, return} in seconds; what is not known is passed over. */
static bool parse_timing(struct cursor *c, struct end *end)
{
	const char *key;
	uint32_t n;
	size_t len;

	if (cursor_at_end(c) || cursor_nil(c))
		return true;
	if (!cursor_map(c, &n))
		return false;
	end->has_timing = true;
	for (uint32_t i = 0; i < n; i++) {
		double seconds = 0;
		unsigned which;

		if (!cursor_text(c, &key, &len) ||
			(!cursor_number(c, &seconds) && !cursor_skip(c, NULL)))
			return false;
		which = timing_from(key, len, i);
		if (which < CL_TIMING_MAX)
			note_time(end, which, seconds);
	}
	return true;
}

/* ---- the message ---- */

/* A final state's word; an ID that is unknown or expired has its error code for a state. */
static bool parse_end(struct cursor *c, poold_state *ret)
{
	const char *text;
	size_t len;

	if (!cursor_text(c, &text, &len))
		return false;
	if (cl_state_from(text, len, ret))
		return *ret >= POOLD_DONE;
	*ret = POOLD_REFUSED;
	return text_equal(text, len, outcome_code_name(OUTCOME_E_UNKNOWN_FUTURE)) ||
	       text_equal(text, len, outcome_code_name(OUTCOME_E_EXPIRED));
}

static bool parse_final(const struct rpc *rpc, struct end *ret)
{
	struct cursor c = rpc->params;

	return rpc->n_params >= 4 && cursor_uint(&c, &ret->id) && parse_end(&c, &ret->state) &&
	       cursor_skip(&c, &ret->value) && cursor_skip(&c, &ret->error) &&
	       parse_timing(&c, ret);
}

/* An element that holds no others and names no fd; its bytes are as they are, so they are checked
 * by that. */
static bool take_plain(struct cursor *c, struct cursor *ret)
{
	enum cursor_type type = cursor_peek(c);

	return type != CURSOR_ARRAY && type != CURSOR_MAP && type != CURSOR_EXT &&
	       cursor_skip(c, ret);
}

static bool parse_usual(struct cursor *c, struct end *ret)
{
	ret->state = POOLD_DONE;
	ret->has_timing = true;
	return take_bytes(c, "\x93\x02\xa5"
			     "final\x95") &&
	       cursor_uint(c, &ret->id) &&
	       take_bytes(c, "\xa4"
			     "done") &&
	       take_plain(c, &ret->value) && cursor_nil(c) && take_usual_times(c, ret);
}

static int take_end(poold_future *f, struct cl_message *m, const struct end *end)
{
	f->has_timing = end->has_timing;
	memcpy(f->timing_us, end->timing_us, sizeof(f->timing_us));
	/* also one that is done can have an error: a result that did not fit on its way here */
	if (cursor_len(&end->error) > 0)
		return cl_value_take_error(&f->value, m, &end->error);
	return cl_value_take_result(&f->value, m, &end->value);
}

static poold_future *take_future(poold *p, uint64_t id)
{
	return cl_future_of(cl_table_take(&p->ids, id));
}

static int settle_all(poold *p, struct cl_message *m, const struct end *end, int *ret_cb)
{
	poold_future *f, *next;

	for (f = take_future(p, end->id); f; f = next) {
		int r = take_end(f, m, end);

		if (r < 0)
			return r;
		next = take_future(p, end->id);
		/* a callback could close the fds that the next one gets a duplicate of */
		if (next)
			ret_cb = NULL;
		cl_future_settle(f, end->state, ret_cb);
	}
	return 0;
}

int cl_final_take(poold *p, struct cl_message *m, int *ret_cb)
{
	struct end end = {};

	if (!parse_final(&m->rpc, &end))
		return -EPROTO;
	if (end.state == POOLD_DONE && cl_is_nil(&end.error))
		end.error = (struct cursor){};
	return settle_all(p, m, &end, ret_cb);
}

int cl_final_take_usual(poold *p, const uint8_t *bytes, size_t len, int *ret_cb, size_t *ret_len)
{
	struct cursor c = cursor_of(bytes, len);
	struct cl_message m;
	struct end end;

	*ret_len = 0;
	end.error = (struct cursor){};
	if (!parse_usual(&c, &end))
		return 0;
	*ret_len = (size_t)(c.p - bytes);
	m.n_fds = 0;
	return settle_all(p, &m, &end, ret_cb);
}
