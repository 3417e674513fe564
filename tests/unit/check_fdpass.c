#include "proto/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/suite.h"

#define MANY 250 /* below SCM_MAX_FD, above the queue */

/* A pair of sockets, the queue of the receiving one, and the fds that were open before. */
struct pair {
	int sender;
	int receiver;
	struct fdqueue q;
	unsigned n_fds;
};

static struct pair pair_new(int type, unsigned max)
{
	struct pair p = {.n_fds = suite_open_fds()};
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	p.sender = fds[0];
	p.receiver = fds[1];
	fdqueue_init(&p.q, max);
	return p;
}

/* Nothing may be left open. */
static void pair_deinit(struct pair *p)
{
	fdqueue_deinit(&p->q);
	ck_assert_uint_eq(p->q.n, 0);
	close(p->sender);
	close(p->receiver);
	ck_assert_uint_eq(suite_open_fds(), p->n_fds);
}

static ssize_t send_fds(struct pair *p, const char *bytes, const int *fds, unsigned n)
{
	struct iovec iov = {(void *)bytes, strlen(bytes)};

	return fdpass_send(p->sender, &iov, 1, MSG_DONTWAIT, fds, n);
}

/* n times the same fd, past fdpass_send() and its limit. */
static void send_raw(struct pair *p, int fd, unsigned n)
{
	struct iovec iov = {(char[]){'x'}, 1};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MANY * sizeof(int))];
	} control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(n * sizeof(int)),
	};

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
	ck_assert_int_eq(sendmsg(p->sender, &msg, 0), 1);
}

/* One receive that brings one byte; the condition. */
static int recv_byte(struct pair *p)
{
	int condition = -1;
	char byte = 0;

	ck_assert_int_eq(fdpass_recv(p->receiver, &byte, 1, MSG_DONTWAIT, &p->q, &condition), 1);
	ck_assert_int_eq(byte, 'x');
	return condition;
}

/* n fds of files that tell them apart. */
static void open_numbered(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char path[] = "/tmp/check_fdpass.XXXXXX";

		fds[i] = mkostemp(path, O_CLOEXEC);
		ck_assert_int_ge(fds[i], 0);
		unlink(path);
		ck_assert_int_eq(ftruncate(fds[i], (off_t)i), 0);
	}
}

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static off_t number_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

START_TEST(fds_arrive_in_order_and_close_on_exec)
{
	struct pair p = pair_new(SOCK_STREAM, 64);
	int fds[5], taken[5];

	open_numbered(fds, 5);
	ck_assert_int_eq(send_fds(&p, "x", fds, 3), 1);
	ck_assert_int_eq(send_fds(&p, "x", fds + 3, 2), 1);
	ck_assert_int_eq(recv_byte(&p), 0);
	ck_assert_int_eq(recv_byte(&p), 0);
	ck_assert(!fdqueue_take(&p.q, taken, 6));
	ck_assert_uint_eq(p.q.n, 5);
	ck_assert(fdqueue_take(&p.q, taken, 0));
	ck_assert(fdqueue_take(&p.q, taken, 2));
	ck_assert(fdqueue_take(&p.q, taken + 2, 3));
	ck_assert(!fdqueue_take(&p.q, taken, 1));
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(number_of(taken[i]), i);
		ck_assert_int_eq(fcntl(taken[i], F_GETFD), FD_CLOEXEC);
	}
	close_all(taken, 5);
	close_all(fds, 5);
	pair_deinit(&p);
}
END_TEST

START_TEST(a_whole_packet_of_fds_arrives)
{
	struct pair p = pair_new(SOCK_SEQPACKET, 64);
	int fds[64];

	open_numbered(fds, 64);
	ck_assert_int_eq(send_fds(&p, "x", fds, 64), 1);
	ck_assert_int_eq(recv_byte(&p), 0);
	ck_assert_uint_eq(p.q.n, 64);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(number_of(p.q.fds[i]), i);
	close_all(fds, 64);
	pair_deinit(&p);
}
END_TEST

/* Rows 1 to 3 of the table: more fds than there is room for. */
START_TEST(five_fds_with_room_for_two_are_too_many)
{
	for (unsigned round = 0; round < 1000; round++) {
		struct pair p = pair_new(SOCK_STREAM, 2);
		int fds[5];

		open_numbered(fds, 5);
		ck_assert_int_eq(send_fds(&p, "x", fds, 5), 1);
		ck_assert_int_eq(recv_byte(&p), FDPASS_E_TOO_MANY);
		ck_assert_uint_eq(p.q.n, 0);
		close_all(fds, 5);
		pair_deinit(&p);
	}
}
END_TEST

START_TEST(too_many_fds_leave_those_of_before)
{
	struct pair p = pair_new(SOCK_STREAM, 3);
	int fds[3];

	open_numbered(fds, 3);
	ck_assert_int_eq(send_fds(&p, "x", fds, 2), 1);
	ck_assert_int_eq(send_fds(&p, "x", fds + 1, 2), 1);
	ck_assert_int_eq(recv_byte(&p), 0);
	ck_assert_int_eq(recv_byte(&p), FDPASS_E_TOO_MANY);
	ck_assert_uint_eq(p.q.n, 2);
	ck_assert_int_eq(number_of(p.q.fds[0]), 0);
	ck_assert_int_eq(number_of(p.q.fds[1]), 1);
	close_all(fds, 3);
	pair_deinit(&p);
}
END_TEST

START_TEST(a_queue_of_no_fds_takes_none)
{
	struct pair p = pair_new(SOCK_STREAM, 0);

	ck_assert_int_eq(send_fds(&p, "x", &p.sender, 1), 1);
	ck_assert_int_eq(recv_byte(&p), FDPASS_E_TOO_MANY);
	ck_assert_int_eq(send_fds(&p, "x", NULL, 0), 1);
	ck_assert_int_eq(recv_byte(&p), 0);
	pair_deinit(&p);
}
END_TEST

START_TEST(padding_admits_no_65th_fd)
{
	for (unsigned round = 0; round < 1000; round++) {
		struct pair p = pair_new(SOCK_STREAM, 64);

		send_raw(&p, p.sender, 65);
		ck_assert_int_eq(recv_byte(&p), FDPASS_E_TRUNCATED);
		ck_assert_uint_eq(p.q.n, 0);
		pair_deinit(&p);
	}
}
END_TEST

START_TEST(a_flood_of_fds_is_truncated)
{
	for (unsigned round = 0; round < 1000; round++) {
		struct pair p = pair_new(SOCK_SEQPACKET, 64);

		send_raw(&p, p.sender, MANY);
		ck_assert_int_eq(recv_byte(&p), FDPASS_E_TRUNCATED);
		ck_assert_uint_eq(p.q.n, 0);
		pair_deinit(&p);
	}
}
END_TEST

/* Rows 4 and 5: as many fds as the limit of open files still allows, or none. */
static void recv_near_limit(unsigned n_free)
{
	struct rlimit before, low;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned round = 0; round < 1000; round++) {
		struct pair p = pair_new(SOCK_STREAM, 64);
		int next;

		ck_assert_int_eq(send_fds(&p, "x", (int[]){p.sender, p.sender, p.sender}, 3), 1);
		next = dup(p.sender);
		close(next);
		low = (struct rlimit){(rlim_t)next + n_free, before.rlim_max};
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		ck_assert_int_eq(recv_byte(&p), FDPASS_E_TRUNCATED);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
		ck_assert_uint_eq(p.q.n, 0);
		pair_deinit(&p);
	}
}

START_TEST(near_the_limit_of_open_files_a_part_is_closed)
{
	recv_near_limit(2);
}
END_TEST

START_TEST(at_the_limit_of_open_files_the_byte_arrives_alone)
{
	recv_near_limit(0);
}
END_TEST

/* Row 6, in a process of its own without privileges. */
static int fill_until_refused(void)
{
	static const struct rlimit low = {20, 20};
	struct iovec iov = {(char[]){'x'}, 1};
	int fds[2], many[10];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || setrlimit(RLIMIT_NOFILE, &low) < 0)
		return 1;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresuid(65534, 65534, 65534) < 0))
		return 77;
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = fds[0];
	for (unsigned i = 0; i < 10; i++) {
		ssize_t n = fdpass_send(fds[1], &iov, 1, MSG_DONTWAIT, many, ARRAY_SIZE(many));

		if (n != 1)
			return n == -ETOOMANYREFS ? 0 : 2;
	}
	return 3;
}

START_TEST(fds_in_flight_run_into_the_senders_limit)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(fill_until_refused());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	/* 77: root without the right to become nobody */
	ck_assert_msg(
		WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77, "%d", WEXITSTATUS(status));
}
END_TEST

/* Row 7. */
START_TEST(a_receive_stops_where_the_next_fds_begin)
{
	for (unsigned round = 0; round < 1000; round++) {
		struct pair p = pair_new(SOCK_STREAM, 64);
		char bytes[10];
		int condition;

		ck_assert_int_eq(send_fds(&p, "ab", &p.sender, 1), 2);
		ck_assert_int_eq(send_fds(&p, "cd", &p.sender, 1), 2);
		ck_assert_int_eq(
			fdpass_recv(p.receiver, bytes, sizeof(bytes), 0, &p.q, &condition), 2);
		ck_assert_int_eq(condition, 0);
		ck_assert_uint_eq(p.q.n, 1);
		ck_assert_int_eq(
			fdpass_recv(p.receiver, bytes, sizeof(bytes), 0, &p.q, &condition), 2);
		ck_assert_int_eq(condition, 0);
		ck_assert_uint_eq(p.q.n, 2);
		ck_assert_mem_eq(bytes, "cd", 2);
		pair_deinit(&p);
	}
}
END_TEST

/* Bytes without fds do not end a receive, only fds do: a short one without has left nothing. */
START_TEST(a_short_receive_without_fds_leaves_nothing)
{
	struct pair p = pair_new(SOCK_STREAM, 64);
	char bytes[10];
	int condition;

	ck_assert_int_eq(send_fds(&p, "a", NULL, 0), 1);
	ck_assert_int_eq(send_fds(&p, "b", NULL, 0), 1);
	ck_assert_int_eq(send_fds(&p, "c", &p.sender, 1), 1);
	ck_assert_int_eq(send_fds(&p, "d", NULL, 0), 1);
	ck_assert_int_eq(send_fds(&p, "e", NULL, 0), 1);
	ck_assert_int_eq(fdpass_recv(p.receiver, bytes, sizeof(bytes), 0, &p.q, &condition), 3);
	ck_assert_uint_eq(p.q.n, 1);
	ck_assert_int_eq(fdpass_recv(p.receiver, bytes, sizeof(bytes), 0, &p.q, &condition), 2);
	ck_assert_uint_eq(p.q.n, 1);
	ck_assert_int_eq(
		fdpass_recv(p.receiver, bytes, sizeof(bytes), MSG_DONTWAIT, &p.q, &condition),
		-EAGAIN);
	pair_deinit(&p);
}
END_TEST

/* Each of several packets has its own fds and its own condition. */
START_TEST(packets_come_together)
{
	struct pair p = pair_new(SOCK_SEQPACKET, 64);
	struct fdqueue queues[4];
	uint8_t bytes[4][4];
	struct fdpass_packet packets[4];
	const char *sent[] = {"ab", "12345", "", "xyz"};

	for (unsigned i = 0; i < 4; i++) {
		fdqueue_init(&queues[i], 64);
		packets[i] = (struct fdpass_packet){bytes[i], 4, &queues[i], -1};
		ck_assert_int_eq(
			send_fds(&p, sent[i], &p.sender, i != 0), (ssize_t)strlen(sent[i]));
	}
	ck_assert_int_eq(fdpass_recv_packets(p.receiver, packets, 3, MSG_DONTWAIT), 3);
	ck_assert_uint_eq(packets[0].len, 2);
	ck_assert_mem_eq(bytes[0], "ab", 2);
	ck_assert_int_eq(packets[0].condition, 0);
	ck_assert_uint_eq(queues[0].n, 0);
	ck_assert_int_eq(packets[1].condition, FDPASS_E_TRUNCATED);
	ck_assert_uint_eq(queues[1].n, 0);
	ck_assert_uint_eq(packets[2].len, 0);
	ck_assert_uint_eq(queues[2].n, 1);
	packets[0].len = 4;
	ck_assert_int_eq(fdpass_recv_packets(p.receiver, packets, 4, MSG_DONTWAIT), 1);
	ck_assert_uint_eq(packets[0].len, 3);
	ck_assert_uint_eq(queues[0].n, 1);
	ck_assert_int_eq(fdpass_recv_packets(p.receiver, packets, 4, MSG_DONTWAIT), -EAGAIN);
	for (unsigned i = 0; i < 4; i++)
		fdqueue_deinit(&queues[i]);
	pair_deinit(&p);
}
END_TEST

START_TEST(a_packet_longer_than_the_room_is_truncated)
{
	struct pair p = pair_new(SOCK_SEQPACKET, 64);
	char bytes[4];
	int condition = -1;

	ck_assert_int_eq(send_fds(&p, "12345", &p.sender, 1), 5);
	ck_assert_int_eq(fdpass_recv(p.receiver, bytes, 4, 0, &p.q, &condition), 4);
	ck_assert_int_eq(condition, FDPASS_E_TRUNCATED);
	ck_assert_uint_eq(p.q.n, 0);
	ck_assert_int_eq(send_fds(&p, "1234", NULL, 0), 4);
	ck_assert_int_eq(fdpass_recv(p.receiver, bytes, 4, 0, &p.q, &condition), 4);
	ck_assert_int_eq(condition, 0);
	pair_deinit(&p);
}
END_TEST

START_TEST(control_messages_of_other_kinds_are_passed_over)
{
	struct pair p = pair_new(SOCK_STREAM, 64);

	ck_assert_int_eq(
		setsockopt(p.receiver, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)), 0);
	ck_assert_int_eq(send_fds(&p, "x", &p.sender, 1), 1);
	ck_assert_int_eq(recv_byte(&p), 0);
	ck_assert_uint_eq(p.q.n, 1);
	pair_deinit(&p);
}
END_TEST

START_TEST(errors_and_the_end_are_told_apart)
{
	struct pair p = pair_new(SOCK_STREAM, 64);
	int condition = -1;
	char bytes[4];

	ck_assert_int_eq(
		fdpass_recv(p.receiver, bytes, 4, MSG_DONTWAIT, &p.q, &condition), -EAGAIN);
	ck_assert_int_eq(condition, -1);
	ck_assert_int_eq(fdpass_recv(-1, bytes, 4, 0, &p.q, &condition), -EBADF);
	ck_assert_int_eq(send_fds(&p, "x", &(int){-1}, 1), -EBADF);
	ck_assert_int_eq(send_fds(&p, "x", (int[65]){}, 65), -EINVAL);
	ck_assert_int_eq(shutdown(p.sender, SHUT_WR), 0);
	ck_assert_int_eq(fdpass_recv(p.receiver, bytes, 4, 0, &p.q, &condition), 0);
	ck_assert_int_eq(condition, 0);
	/* no SIGPIPE */
	ck_assert_int_eq(send_fds(&p, "x", NULL, 0), -EPIPE);
	pair_deinit(&p);
}
END_TEST

SUITE_MAIN("fdpass", fds_arrive_in_order_and_close_on_exec, a_whole_packet_of_fds_arrives,
	five_fds_with_room_for_two_are_too_many, too_many_fds_leave_those_of_before,
	a_queue_of_no_fds_takes_none, padding_admits_no_65th_fd, a_flood_of_fds_is_truncated,
	near_the_limit_of_open_files_a_part_is_closed,
	at_the_limit_of_open_files_the_byte_arrives_alone, fds_in_flight_run_into_the_senders_limit,
	a_receive_stops_where_the_next_fds_begin, a_short_receive_without_fds_leaves_nothing,
	packets_come_together, a_packet_longer_than_the_room_is_truncated,
	control_messages_of_other_kinds_are_passed_over, errors_and_the_end_are_told_apart)
