/* What it does in place of an answer. */
#include "tests/lib/hostile.h"

#include <string.h>
#include <sys/socket.h>

#define MAX_FDS 250

static void pack_nested(unsigned depth)
{
	while (depth-- > 0)
		bufpack_array(&hostile_pack, 1);
	bufpack_nil(&hostile_pack);
}

static void run_garbage(void)
{
	hostile_send_bytes("\xc1\xc1\xc1", 3);
}

static void run_no_rpc(void)
{
	hostile_send_bytes("\x92\x01\x02", 3);
}

static void run_cut_short(void)
{
	hostile_send_bytes("\x94\x01", 2);
}

static void run_huge_count(void)
{
	hostile_send_bytes("\x94\x01\x00\xc0\xdd\xff\xff\xff\xff", 9);
}

static void run_empty(void)
{
	hostile_send_bytes("", 0);
}

static void run_trailing(void)
{
	hostile_answer_nil();
	bufpack_nil(&hostile_pack);
	hostile_send(NULL, 0);
}

static void run_wrong_msgid(void)
{
	hostile_msgid += 1000;
	hostile_answer_nil();
}

static void run_answer_twice(void)
{
	hostile_answer_nil();
	hostile_answer_nil();
}

static void run_result_no_array(void)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_nil(&hostile_pack);
	bufpack_uint(&hostile_pack, 7);
	hostile_send(NULL, 0);
}

static void run_meas_no_map(void)
{
	hostile_begin_result();
	bufpack_nil(&hostile_pack);
	bufpack_text(&hostile_pack, "quick");
	hostile_send(NULL, 0);
}

static void run_error_and_result(void)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_text(&hostile_pack, "wrong");
	bufpack_text(&hostile_pack, "right");
	hostile_send(NULL, 0);
}

static void run_error_no_code(void)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_array(&hostile_pack, 3);
	bufpack_uint(&hostile_pack, 1);
	bufpack_text(&hostile_pack, "message");
	bufpack_map(&hostile_pack, 0);
	bufpack_nil(&hostile_pack);
	hostile_send(NULL, 0);
}

static void run_request(void)
{
	hostile_begin();
	rpc_pack_request(&hostile_pack, 1, "submit");
	bufpack_array(&hostile_pack, 0);
	hostile_send(NULL, 0);
}

static void run_unknown_notification(void)
{
	hostile_begin();
	rpc_pack_notification(&hostile_pack, "hello");
	bufpack_array(&hostile_pack, 0);
	hostile_send(NULL, 0);
}

static void run_ready_again(void)
{
	hostile_send_ready(1, 1);
}

static void run_deep(void)
{
	hostile_begin_result();
	pack_nested(PROTO_VALUE_DEPTH + 1);
	hostile_pack_meas();
	hostile_send(NULL, 0);
}

static void run_very_deep(void)
{
	hostile_begin_result();
	pack_nested(10000);
	hostile_pack_meas();
	hostile_send(NULL, 0);
}

static void run_too_long(void)
{
	static uint8_t bytes[PROTO_PACKET_BYTES + 1] = "\xc6\x00\x01\xff\xfb";

	hostile_send_bytes(bytes, sizeof(bytes));
}

static void run_ext_2(void)
{
	hostile_begin_result();
	bufpack_ext(&hostile_pack, PROTO_EXT_FUTURE, "\0\0\0\0\0\0\0\1", 8);
	hostile_pack_meas();
	hostile_send(NULL, 0);
}

static void run_ext_3(void)
{
	int fd = shm_from_bytes("hostile", "\xc0", 1);

	hostile_begin_result();
	bufpack_ext(&hostile_pack, PROTO_EXT_VALUE, "\0", 1);
	hostile_pack_meas();
	hostile_send(&fd, 1);
}

static void run_many_fds(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = {};
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(200 * sizeof(int)),
	};

	hostile_begin_result();
	bufpack_nil(&hostile_pack);
	hostile_pack_meas();
	iov = (struct iovec){(void *)buf_head(&hostile_out), buf_used(&hostile_out)};
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(200 * sizeof(int));
	memset(CMSG_DATA(&control.align), 0, 200 * sizeof(int)); /* fd 0, 200 times */
	if (sendmsg(HOSTILE_FD, &msg, 0) < 0)
		_exit(9);
}

static void run_fd_unnamed(void)
{
	int fd = shm_from_bytes("hostile", "x", 1);

	hostile_begin_result();
	bufpack_nil(&hostile_pack);
	hostile_pack_meas();
	hostile_send(&fd, 1);
}

static void run_fd_missing(void)
{
	hostile_begin_result();
	bufpack_ext_fd(&hostile_pack, 0);
	hostile_pack_meas();
	hostile_send(NULL, 0);
}

static void run_fd_gap(void)
{
	int fds[2] = {shm_from_bytes("hostile", "x", 1), shm_from_bytes("hostile", "x", 1)};

	hostile_begin_result();
	bufpack_ext_fd(&hostile_pack, 1);
	hostile_pack_meas();
	hostile_send(fds, 2);
}

static void run_fds_over_limit(void)
{
	int fds[PROTO_RESULT_FDS + 1];

	hostile_begin_result();
	bufpack_array(&hostile_pack, ARRAY_SIZE(fds));
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = shm_from_bytes("hostile", "x", 1);
		bufpack_ext_fd(&hostile_pack, (uint8_t)i);
	}
	hostile_pack_meas();
	hostile_send(fds, ARRAY_SIZE(fds));
}

static void run_fd_in_meas(void)
{
	int fd = shm_from_bytes("hostile", "x", 1);

	hostile_begin_result();
	bufpack_nil(&hostile_pack);
	bufpack_map(&hostile_pack, 1);
	bufpack_text(&hostile_pack, "here");
	bufpack_ext_fd(&hostile_pack, 0);
	hostile_send(&fd, 1);
}

static void run_shut_down(void)
{
	shutdown(HOSTILE_FD, SHUT_RDWR);
}

static void run_bad_progress(void)
{
	hostile_begin_notification("progress", 4);
	bufpack_uint(&hostile_pack, hostile_id);
	bufpack_text(&hostile_pack, "some");
	bufpack_text(&hostile_pack, "more");
	bufpack_nil(&hostile_pack);
	hostile_send(NULL, 0);
}

static void run_bad_taken(void)
{
	hostile_begin_notification("taken", 2);
	bufpack_uint(&hostile_pack, hostile_id);
	bufpack_uint(&hostile_pack, hostile_id);
	hostile_send(NULL, 0);
}

static void run_output_no_stream(void)
{
	hostile_send_output("stdlog", hostile_id, shm_new("hostile", 0));
}

static void run_output_gap(void)
{
	int fd = shm_new("hostile", 0);

	hostile_begin_notification("output", 3);
	bufpack_uint(&hostile_pack, hostile_id);
	bufpack_text(&hostile_pack, "stdout");
	bufpack_ext_fd(&hostile_pack, 1);
	hostile_send(&fd, 1);
}

static void run_output_twice(void)
{
	hostile_send_output("stdout", hostile_id, shm_new("hostile", 0));
	hostile_send_output("stdout", hostile_id, shm_new("hostile", 0));
}

const struct hostile_deed hostile_answers[] = {
	DEED(run_garbage),
	DEED(run_no_rpc),
	DEED(run_cut_short),
	DEED(run_huge_count),
	DEED(run_empty),
	DEED(run_trailing),
	DEED(run_wrong_msgid),
	DEED(run_answer_twice),
	DEED(run_result_no_array),
	DEED(run_meas_no_map),
	DEED(run_error_and_result),
	DEED(run_error_no_code),
	DEED(run_request),
	DEED(run_unknown_notification),
	DEED(run_ready_again),
	DEED(run_deep),
	DEED(run_very_deep),
	DEED(run_too_long),
	DEED(run_ext_2),
	DEED(run_ext_3),
	DEED(run_many_fds),
	DEED(run_fd_unnamed),
	DEED(run_fd_missing),
	DEED(run_fd_gap),
	DEED(run_fds_over_limit),
	DEED(run_fd_in_meas),
	DEED(run_shut_down),
	DEED(run_bad_progress),
	DEED(run_bad_taken),
	DEED(run_output_no_stream),
	DEED(run_output_twice),
	DEED(run_output_gap),
	{NULL, NULL},
};
