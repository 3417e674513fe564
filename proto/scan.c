/* The validator in front of everything that decodes.
 *
 * Elements are walked in order, without recursion and without looking at the bytes of strings. Two
 * facts make it safe against counts that lie: every element still owed takes at least one byte, so
 * `owed` may never exceed the bytes that max_bytes still allows; and that is checked when a count
 * is read, before any element behind it came. What passes has no more elements than bytes, so
 * whoever decodes it afterwards can bound its memory.
 *
 * An element is taken in one piece: while its head (lead byte, length, ext type, and the payload of
 * our own ext types) is not all there, nothing moves and the next call begins at its lead byte
 * again. So an error is the same one however the bytes were cut. The payload of a string may lie
 * beyond the bytes so far; then pos does too.
 *
 * Nearly all messages lie there whole and have fewer containers than may be nested: for these it is
 * enough to count what is owed.
 */
#include "proto/scan.h"

#include <assert.h>

#include "proto/lead.h"

void scan_init(struct scan *s, size_t max_bytes, unsigned max_depth)
{
	assert(max_depth <= PROTO_DEPTH);
	/* `left` counts what is open, so it needs no beginning */
	s->pos = 0;
	s->max_bytes = max_bytes;
	s->owed = 1;
	s->fd_mask = 0;
	s->depth = 0;
	s->max_depth = (uint8_t)max_depth;
	s->has_value_ext = false;
	s->has_future_ext = false;
}

/* The payload of an ext type that has a meaning on our wire: n bytes at p, of which `avail` are
 * there. */
static int step_ext(struct scan *s, int type, const uint8_t *p, uint64_t n, size_t avail)
{
	switch (type) {
	case PROTO_EXT_FD:
	case PROTO_EXT_VALUE:
		if (n != 1)
			return SCAN_E_EXT;
		if (avail < 1)
			return SCAN_MORE;
		if (p[0] >= PROTO_PACKET_FDS)
			return SCAN_E_EXT;
		s->fd_mask |= 1ull << p[0];
		s->has_value_ext |= type == PROTO_EXT_VALUE;
		return 0;
	case PROTO_EXT_FUTURE:
		if (n != 8)
			return SCAN_E_EXT;
		s->has_future_ext = true;
		return 0;
	default: return 0;
	}
}

/* Where the walk stands. */
struct walk {
	size_t pos;
	uint64_t spare; /* what max_bytes leaves beside a byte for each element that is owed */
	uint32_t
		here; /* elements still to come of the innermost container; outside of all, 1: the message */
	unsigned depth;
};

static void leave_full(const struct scan *s, struct walk *w)
{
	while (w->here == 0 && w->depth > 0) {
		w->depth--;
		w->here = w->depth > 0 ? s->left[w->depth - 1] : 1;
		w->here--;
	}
}

/* A container of n elements, which may follow. */
static void enter(struct scan *s, struct walk *w, size_t head, uint32_t n)
{
	w->pos += head;
	w->spare -= head - 1 + n;
	if (n == 0) {
		w->here--;
		leave_full(s, w);
		return;
	}
	if (w->depth > 0)
		s->left[w->depth - 1] = w->here;
	w->depth++;
	w->here = n;
}

/* The containers that nearly all are: their lead byte tells all. */
static int step_small_container(struct scan *s, struct walk *w, uint8_t lead)
{
	uint32_t n = lead & 0x0f;

	if (lead < LEAD_FIXARRAY)
		n *= 2;
	if (w->depth == s->max_depth)
		return SCAN_E_DEEP;
	if (n > w->spare)
		return SCAN_E_LONG;
	enter(s, w, 1, n);
	return 0;
}

/* An element whose lead byte does not tell all. */
static int step_other(struct scan *s, struct walk *w, const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes + w->pos;
	const struct lead *lead = &lead_table[*p];
	size_t head = 1u + lead->width + (lead->kind == LEAD_EXT);
	bool is_container = lead_is_container(lead);
	uint64_t n;
	int r;

	if (lead->kind == LEAD_NONE)
		return SCAN_E_BYTES;
	if (is_container && w->depth == s->max_depth)
		return SCAN_E_DEEP;
	if (head - 1 > w->spare)
		return SCAN_E_LONG;
	if (len - w->pos < head)
		return SCAN_MORE;
	n = lead_n(lead, p);
	if (n > w->spare - (head - 1) || n > UINT32_MAX)
		return SCAN_E_LONG;
	if (is_container) {
		enter(s, w, head, (uint32_t)n);
		return 0;
	}
	if (lead->kind == LEAD_EXT) {
		r = step_ext(s, (int8_t)p[head - 1], p + head, n, len - w->pos - head);
		if (r != 0)
			return r;
	}
	w->pos += head + (size_t)n;
	w->spare -= head - 1 + n;
	w->here--;
	leave_full(s, w);
	return 0;
}

static int walk_on(struct scan *s, struct walk *w, const uint8_t *bytes, size_t len)
{
	while (w->here > 0) {
		size_t n;
		int r;

		if (w->pos >= len)
			return SCAN_MORE;
		n = lead_scalar_bytes[bytes[w->pos]];
		if (n == 0) {
			if (lead_is_small_container(bytes[w->pos]))
				r = step_small_container(s, w, bytes[w->pos]);
			else
				r = step_other(s, w, bytes, len);
			if (r != 0)
				return r;
			continue;
		}
		if (n - 1 > w->spare)
			return SCAN_E_LONG;
		w->pos += n;
		w->spare -= n - 1;
		if (--w->here == 0)
			leave_full(s, w);
	}
	return w->pos > len ? SCAN_MORE : SCAN_DONE;
}

static __attribute__((noinline)) int walk(struct scan *s, const uint8_t *bytes, size_t len)
{
	struct walk w = {
		.pos = s->pos,
		.spare = s->max_bytes - s->pos - s->owed,
		.here = s->depth > 0 ? s->left[s->depth - 1] : s->owed > 0,
		.depth = s->depth,
	};
	int r;

	if (s->owed > s->max_bytes - s->pos) /* no byte at all is allowed */
		return len > s->pos ? SCAN_E_LONG : SCAN_MORE;
	r = walk_on(s, &w, bytes, len);
	if (w.depth > 0)
		s->left[w.depth - 1] = w.here;
	s->pos = w.pos;
	s->owed = s->max_bytes - w.pos - w.spare;
	s->depth = (uint8_t)w.depth;
	return r;
}

/* A message that lies in these bytes whole, and breaks no rule whatever stands in what. False: it
 * may be any other. Each element takes a byte, so the sum of what is owed is bounded by them. */
static bool take_whole(struct scan *s, const uint8_t *bytes, size_t len)
{
	size_t end = len < s->max_bytes ? len : s->max_bytes, pos = 0;
	unsigned n_containers = 0;
	uint64_t owed = 1;

	do {
		const struct lead *lead;
		size_t n;

		if (pos >= end)
			return false;
		n = lead_scalar_bytes[bytes[pos]];
		pos += n;
		if (n > 0)
			continue;
		lead = &lead_table[bytes[pos]];
		if (lead_is_small_container(bytes[pos])) {
			n_containers++;
			owed += (bytes[pos] & 0x0fu) << (bytes[pos] < LEAD_FIXARRAY);
			pos++;
			continue;
		}
		if (lead->kind == LEAD_NONE || lead->kind == LEAD_EXT || lead->width >= end - pos)
			return false;
		n = lead_n(lead, bytes + pos);
		pos += 1u + lead->width;
		if (lead_is_container(lead)) {
			n_containers++;
			owed += n;
		} else {
			pos += n;
		}
	} while (--owed > 0);
	if (pos > end || n_containers > s->max_depth)
		return false;
	s->pos = pos;
	s->owed = 0;
	return true;
}

int scan_step(struct scan *s, const uint8_t *bytes, size_t len)
{
	if (s->pos == 0 && s->owed == 1 && take_whole(s, bytes, len))
		return SCAN_DONE;
	return walk(s, bytes, len);
}

/* One number or string, and no more: most values that are looked at by themselves are. */
static bool is_plain(const uint8_t *bytes, size_t len)
{
	const struct lead *lead;

	if (len == 0)
		return false;
	lead = &lead_table[*bytes];
	return lead->kind > LEAD_NONE && lead->kind < LEAD_ARRAY && len > lead->width &&
	       len - 1 - lead->width == lead_n(lead, bytes);
}

int scan_value(const uint8_t *bytes, size_t len, unsigned max_depth, struct scan *ret)
{
	struct scan s;
	int r;

	if (is_plain(bytes, len)) {
		if (ret) {
			scan_init(ret, len, max_depth);
			ret->owed = 0;
			ret->pos = len;
		}
		return SCAN_DONE;
	}
	scan_init(&s, len, max_depth);
	r = scan_step(&s, bytes, len);
	/* too long for exactly these bytes means that they end early; more is wanted only of none
	 */
	if (r == SCAN_E_LONG || r == SCAN_MORE || (r == SCAN_DONE && s.pos != len))
		r = SCAN_E_BYTES;
	if (r == SCAN_DONE && ret)
		*ret = s;
	return r;
}

const char *scan_strerror(int r)
{
	switch (r) {
	case SCAN_DONE: return "complete";
	case SCAN_MORE: return "incomplete";
	case SCAN_E_LONG: return "too long, or more elements announced than may follow";
	case SCAN_E_DEEP: return "nested too deep";
	case SCAN_E_BYTES: return "not MessagePack";
	case SCAN_E_EXT: return "ext type 1, 2 or 3 of a wrong length or index";
	default: return "unknown condition";
	}
}
