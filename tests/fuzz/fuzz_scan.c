/* scan against msgpack-c: what the one accepts the other must decode within the memory that scan
 * promises, and what the other decodes must be accepted if it is within our limits. The first byte
 * of the input chooses the depth limit, the second where the bytes are cut. */
#include "proto/scan.h"

#include <msgpack.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* msgpack-c takes 24 bytes for an element, and an element takes a byte at least. */
#define ELEMENT_BYTES sizeof(msgpack_object)

static void must_unpack_within_bound(const uint8_t *bytes, size_t len)
{
	msgpack_zone *zone = msgpack_zone_new(len * ELEMENT_BYTES + 64);
	msgpack_zone_chunk *first;
	msgpack_object object;
	size_t off = 0;

	must(zone);
	first = zone->chunk_list.head;
	must(msgpack_unpack((const char *)bytes, len, &off, zone, &object) ==
		MSGPACK_UNPACK_SUCCESS);
	must(off == len);
	/* all came out of the one chunk of that size */
	must(zone->chunk_list.head == first);
	msgpack_zone_free(zone);
}

static bool is_our_ext_wrong(const msgpack_object_ext *e)
{
	switch (e->type) {
	case PROTO_EXT_FD:
	case PROTO_EXT_VALUE: return e->size != 1 || (uint8_t)e->ptr[0] >= PROTO_PACKET_FDS;
	case PROTO_EXT_FUTURE: return e->size != 8;
	default: return false;
	}
}

/* The depth of a decoded value (at most 32, msgpack-c's own limit), and whether it breaks a rule of
 * our ext types. */
static unsigned depth_of(const msgpack_object *o, bool *ret_wrong_ext)
{
	unsigned deepest = 0, inside;

	switch (o->type) {
	case MSGPACK_OBJECT_EXT: *ret_wrong_ext |= is_our_ext_wrong(&o->via.ext); return 0;
	case MSGPACK_OBJECT_ARRAY:
		for (uint32_t i = 0; i < o->via.array.size; i++) {
			inside = depth_of(&o->via.array.ptr[i], ret_wrong_ext);
			deepest = inside > deepest ? inside : deepest;
		}
		return deepest + 1;
	case MSGPACK_OBJECT_MAP:
		for (uint32_t i = 0; i < o->via.map.size; i++) {
			inside = depth_of(&o->via.map.ptr[i].key, ret_wrong_ext);
			deepest = inside > deepest ? inside : deepest;
			inside = depth_of(&o->via.map.ptr[i].val, ret_wrong_ext);
			deepest = inside > deepest ? inside : deepest;
		}
		return deepest + 1;
	default: return 0;
	}
}

/* scan said r at pos, with max_bytes = len. Bytes that could make msgpack-c allocate gigabytes are
 * left out. */
static void must_agree(const uint8_t *bytes, size_t len, unsigned max_depth, int r, size_t pos)
{
	bool is_wrong_ext = false, is_deep;
	msgpack_object object;
	msgpack_zone *zone;
	size_t off = 0;
	int unpacked;

	if (memchr(bytes, 0xdd, len) || memchr(bytes, 0xdf, len))
		return;
	zone = msgpack_zone_new(4096);
	must(zone);
	unpacked = msgpack_unpack((const char *)bytes, len, &off, zone, &object);
	switch (unpacked) {
	case MSGPACK_UNPACK_SUCCESS:
	case MSGPACK_UNPACK_EXTRA_BYTES:
		is_deep = depth_of(&object, &is_wrong_ext) > max_depth;
		if (!is_deep && !is_wrong_ext)
			must(r == SCAN_DONE && pos == off);
		else
			must((is_deep && r == SCAN_E_DEEP) || (is_wrong_ext && r == SCAN_E_EXT));
		break;
	default: must(r != SCAN_DONE);
	}
	msgpack_zone_free(zone);
}

static void must_be_same_in_two(
	const uint8_t *bytes, size_t len, size_t cut, unsigned max_depth, int r, size_t pos)
{
	struct scan s;
	int first;

	scan_init(&s, len, max_depth);
	first = scan_step(&s, bytes, cut);
	if (first == SCAN_MORE)
		first = scan_step(&s, bytes, len);
	must(first == r && s.pos == pos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned max_depth;
	const uint8_t *bytes;
	struct scan s;
	size_t len;
	int r;

	if (size < 2)
		return 0;
	max_depth = data[0] % (PROTO_DEPTH + 1);
	bytes = data + 2;
	len = size - 2;
	scan_init(&s, len, max_depth);
	r = scan_step(&s, bytes, len);
	must(s.depth <= max_depth);
	if (r == SCAN_DONE) {
		must(s.pos <= len && s.owed == 0 && s.depth == 0);
		must_unpack_within_bound(bytes, s.pos);
		must(scan_value(bytes, s.pos, max_depth, NULL) == 0);
	}
	/* with these bytes as the limit, more is wanted of none only */
	must(r != SCAN_MORE || len == 0);
	must_agree(bytes, len, max_depth, r, s.pos);
	must_be_same_in_two(bytes, len, len * data[1] / 256, max_depth, r, s.pos);
	return 0;
}
