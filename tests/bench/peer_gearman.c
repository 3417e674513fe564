/* gearmand: binary packets, a worker is told of jobs and grabs them. */
#include "tests/bench/peer.h"

#include <endian.h>
#include <string.h>

enum packet {
	CAN_DO = 1,
	PRE_SLEEP = 4,
	NOOP = 6,
	SUBMIT_JOB = 7,
	JOB_CREATED = 8,
	GRAB_JOB = 9,
	NO_JOB = 10,
	JOB_ASSIGN = 11,
	WORK_COMPLETE = 13,
};

struct header {
	char magic[4];
	uint32_t type, size;
};

static void packet(struct peer *p, enum packet type, size_t size)
{
	struct header h = {{0, 'R', 'E', 'Q'}, htobe32(type), htobe32((uint32_t)size)};

	peer_bytes(p, &h, sizeof(h));
}

static void begin(struct peer *p)
{
	if (p->role != PEER_WORKER)
		return;
	packet(p, CAN_DO, 4);
	peer_say(p, "noop");
	packet(p, GRAB_JOB, 0);
}

static void submit(struct peer *p)
{
	packet(p, SUBMIT_JOB, 6 + PEER_JOB_BYTES);
	peer_bytes(p, "noop\0", 6); /* and no ID of its own */
	peer_payload(p, PEER_JOB_BYTES);
}

static void work(struct peer *p, const char *handle)
{
	size_t n = strlen(handle) + 1;

	packet(p, WORK_COMPLETE, n + PEER_RESULT_BYTES);
	peer_bytes(p, handle, n);
	peer_payload(p, PEER_RESULT_BYTES);
	packet(p, GRAB_JOB, 0);
}

static size_t take(struct peer *p, const char *at, size_t n)
{
	struct header h;
	size_t size;

	if (n < sizeof(h))
		return 0;
	memcpy(&h, at, sizeof(h));
	size = sizeof(h) + be32toh(h.size);
	if (n < size)
		return 0;
	switch (be32toh(h.type)) {
	case JOB_CREATED: break;
	case WORK_COMPLETE: p->n_done++; break;
	case NO_JOB: packet(p, PRE_SLEEP, 0); break;
	case NOOP: packet(p, GRAB_JOB, 0); break;
	case JOB_ASSIGN: work(p, at + sizeof(h)); break;
	default: peer_refuse(p, at, size);
	}
	return size;
}

const struct peer_protocol peer_gearman = {
	.name = "gearman", .begin = begin, .submit = submit, .take = take};
