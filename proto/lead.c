#include "proto/lead.h"

const struct lead lead_table[256] = {
	[0x00 ... 0x7f] = {LEAD_UINT, 0, 0, 0},
	[0x80 ... 0x8f] = {LEAD_MAP, 0, 0x0f, 0},
	[0x90 ... 0x9f] = {LEAD_ARRAY, 0, 0x0f, 0},
	[0xa0 ... 0xbf] = {LEAD_STR, 0, 0x1f, 0},
	[0xc0] = {LEAD_NIL, 0, 0, 0},
	[0xc1] = {LEAD_NONE, 0, 0, 0},
	[0xc2 ... 0xc3] = {LEAD_BOOL, 0, 0, 0},
	[0xc4] = {LEAD_BIN, 1, 0, 0},
	[0xc5] = {LEAD_BIN, 2, 0, 0},
	[0xc6] = {LEAD_BIN, 4, 0, 0},
	[0xc7] = {LEAD_EXT, 1, 0, 0},
	[0xc8] = {LEAD_EXT, 2, 0, 0},
	[0xc9] = {LEAD_EXT, 4, 0, 0},
	[0xca] = {LEAD_FLOAT, 0, 0, 4},
	[0xcb] = {LEAD_FLOAT, 0, 0, 8},
	[0xcc] = {LEAD_UINT, 0, 0, 1},
	[0xcd] = {LEAD_UINT, 0, 0, 2},
	[0xce] = {LEAD_UINT, 0, 0, 4},
	[0xcf] = {LEAD_UINT, 0, 0, 8},
	[0xd0] = {LEAD_SINT, 0, 0, 1},
	[0xd1] = {LEAD_SINT, 0, 0, 2},
	[0xd2] = {LEAD_SINT, 0, 0, 4},
	[0xd3] = {LEAD_SINT, 0, 0, 8},
	[0xd4] = {LEAD_EXT, 0, 0, 1},
	[0xd5] = {LEAD_EXT, 0, 0, 2},
	[0xd6] = {LEAD_EXT, 0, 0, 4},
	[0xd7] = {LEAD_EXT, 0, 0, 8},
	[0xd8] = {LEAD_EXT, 0, 0, 16},
	[0xd9] = {LEAD_STR, 1, 0, 0},
	[0xda] = {LEAD_STR, 2, 0, 0},
	[0xdb] = {LEAD_STR, 4, 0, 0},
	[0xdc] = {LEAD_ARRAY, 2, 0, 0},
	[0xdd] = {LEAD_ARRAY, 4, 0, 0},
	[0xde] = {LEAD_MAP, 2, 0, 0},
	[0xdf] = {LEAD_MAP, 4, 0, 0},
	[0xe0 ... 0xff] = {LEAD_SINT, 0, 0, 0},
};

#define FOUR(first, bytes)                                                                         \
	[first] = (bytes), [(first) + 1] = (bytes) + 1, [(first) + 2] = (bytes) + 2,               \
	[(first) + 3] = (bytes) + 3

const uint8_t lead_scalar_bytes[256] = {
	[0x00 ... 0x7f] = 1, /* fixint */
	FOUR(0xa0, 1),	     /* fixstr */
	FOUR(0xa4, 5),
	FOUR(0xa8, 9),
	FOUR(0xac, 13),
	FOUR(0xb0, 17),
	FOUR(0xb4, 21),
	FOUR(0xb8, 25),
	FOUR(0xbc, 29),
	[0xc0] = 1, /* nil */
	[0xc2 ... 0xc3] = 1,
	[0xca] = 5,
	[0xcb] = 9,
	[0xcc] = 2,
	[0xcd] = 3,
	[0xce] = 5,
	[0xcf] = 9,
	[0xd0] = 2,
	[0xd1] = 3,
	[0xd2] = 5,
	[0xd3] = 9,
	[0xe0 ... 0xff] = 1,
};
