/* What breaks no protocol, but is not nice. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/hostile.h"

/* Of others, and more than anybody wants to read: then the answer. */
static void nice_news(void)
{
	for (unsigned i = 0; i < 5000; i++)
		hostile_send_progress(
			i % 2 ? hostile_id : hostile_id + 1, i, 5000, "\x1b[2J\xff news");
	hostile_send_output("stderr", hostile_id + 1, shm_new("hostile", 0));
	hostile_answer_nil();
}

/* Results that an honest worker would not even send. */
static void nice_large_inline(void)
{
	static uint8_t bytes[PROTO_INLINE_BYTES + 100];

	hostile_begin_result();
	bufpack_bin(&hostile_pack, bytes, sizeof(bytes));
	hostile_pack_meas();
	hostile_send(NULL, 0);
}

static void answer_holes(size_t n)
{
	int fd = shm_new("hostile", n);

	if (shm_seal(fd) < 0)
		_exit(9);
	hostile_answer_fd(fd);
}

static void nice_large_memfd(void)
{
	answer_holes(2u << 20);
}

static void nice_holes(void)
{
	answer_holes(1ull << 40);
}

/* Much news, the answer, and then it is gone. */
static void nice_last_answer(void)
{
	for (unsigned i = 0; i < 100; i++)
		hostile_send_progress(hostile_id, i, 100, NULL);
	hostile_answer_nil();
	_exit(3);
}

/* Until somebody ends it. */
static void nice_endless_news(void)
{
	for (uint64_t i = 1;; i++)
		hostile_send_progress(hostile_id, i, UINT32_MAX, "and so on");
}

static void nice_flood(void)
{
	for (unsigned i = 0; i < 50000; i++)
		fprintf(stderr, "%u bottles of beer, \x1b[31m%c\n", i, 0xff);
	hostile_answer_nil();
}

static void nice_flags(void)
{
	int size = 1;

	fcntl(HOSTILE_FD, F_SETFL, O_NONBLOCK);
	setsockopt(HOSTILE_FD, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	hostile_answer_nil();
	fcntl(HOSTILE_FD, F_SETFL, 0);
}

/* Receives two runs, then answers both in one packet. */
static void nice_pair(void)
{
	static uint32_t first_msgid;
	static unsigned n;

	if (n++ == 0) {
		first_msgid = hostile_msgid;
		return;
	}
	hostile_begin();
	for (int i = 0; i < 2; i++) {
		rpc_pack_answer(&hostile_pack, i ? hostile_msgid : first_msgid);
		bufpack_nil(&hostile_pack);
		bufpack_array(&hostile_pack, 2);
		bufpack_uint(&hostile_pack, (uint64_t)i);
		hostile_pack_meas();
	}
	hostile_send(NULL, 0);
}

/* Asks to be replaced in the middle of its first job. */
static void nice_recycle(void)
{
	hostile_begin_notification("recycle", 0);
	hostile_send(NULL, 0);
	hostile_answer_nil();
}

/* The last words are the job's to read, if all jobs so far were of one uid. */
static void nice_crash(void)
{
	fprintf(stderr, "about \x1b to\xff crash\n");
	abort();
}

static void nice_crash_second(void)
{
	static bool is_second;

	if (is_second)
		nice_crash();
	is_second = true;
	hostile_answer_nil();
}

static void nice_strange_failure(void)
{
	static uint8_t bytes[PROTO_DATA_BYTES + 1];
	int fd = shm_from_bytes("hostile", "x", 1);

	hostile_begin_error("Not a \x01 code", "\xff\xfe broken\ntext", 1);
	bufpack_text(&hostile_pack, "data");
	bufpack_array(&hostile_pack, 2);
	bufpack_ext_fd(&hostile_pack, 0);
	bufpack_bin(&hostile_pack, bytes, sizeof(bytes));
	bufpack_nil(&hostile_pack);
	hostile_send(&fd, 1);
}

const struct hostile_deed hostile_nice[] = {
	DEED(nice_recycle),
	DEED(nice_crash_second),
	DEED(nice_crash),
	DEED(nice_pair),
	DEED(nice_large_inline),
	DEED(nice_large_memfd),
	DEED(nice_holes),
	DEED(nice_last_answer),
	DEED(nice_news),
	DEED(nice_flood),
	DEED(nice_endless_news),
	DEED(nice_flags),
	DEED(nice_strange_failure),
	{NULL, NULL},
};
