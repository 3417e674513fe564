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
 */
#include "proto/scan.h"

#include <assert.h>

#include "proto/lead.h"

void scan_init(struct scan *s, size_t max_bytes, unsigned max_depth)
{
	assert(max_depth <= PROTO_DEPTH);
	*s = (struct scan){.max_bytes = max_bytes, .owed = 1, .max_depth = (uint8_t)max_depth};
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

int scan_step(struct scan *s, const uint8_t *bytes, size_t len)
{
	size_t pos = s->pos;
	uint64_t owed = s->owed;
	unsigned depth = s->depth;
	int r = SCAN_DONE;

	while (owed > 0) {
		const struct lead *lead;
		bool is_container;
		uint64_t n;
		size_t head;

		if (pos >= len) {
			r = SCAN_MORE;
			break;
		}
		lead = &lead_table[bytes[pos]];
		is_container = lead->kind == LEAD_ARRAY || lead->kind == LEAD_MAP;
		head = 1u + lead->width + (lead->kind == LEAD_EXT);
		if (lead->kind == LEAD_NONE) {
			r = SCAN_E_BYTES;
			break;
		}
		if (is_container && depth == s->max_depth) {
			r = SCAN_E_DEEP;
			break;
		}
		if (s->max_bytes - pos < head + (owed - 1)) {
			r = SCAN_E_LONG;
			break;
		}
		if (len - pos < head) {
			r = SCAN_MORE;
			break;
		}
		n = lead_n(lead, bytes + pos);
		if (n > s->max_bytes - pos - head - (owed - 1) || n > UINT32_MAX) {
			r = SCAN_E_LONG;
			break;
		}
		if (lead->kind == LEAD_EXT) {
			r = step_ext(s, (int8_t)bytes[pos + head - 1], bytes + pos + head, n,
				len - pos - head);
			if (r != 0)
				break;
		}

		pos += head;
		owed--;
		if (is_container && n > 0) {
			owed += n;
			s->left[depth++] = (uint32_t)n;
			continue;
		}
		pos += (size_t)n;
		while (depth > 0 && --s->left[depth - 1] == 0)
			depth--;
	}
	s->pos = pos;
	s->owed = owed;
	s->depth = (uint8_t)depth;
	if (r == SCAN_DONE && pos > len)
		r = SCAN_MORE;
	return r;
}

int scan_value(const uint8_t *bytes, size_t len, unsigned max_depth, struct scan *ret)
{
	struct scan s;
	int r;

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
