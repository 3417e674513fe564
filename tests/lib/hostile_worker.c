/* In place of poold-worker: a zygote and worker that break their protocols. The pool's name says
 * how: one of the names in the tables below. Any other pool is served honestly: every function's
 * result is nil.
 *
 * zygote_…: what it does with `setup` or `fork`; start_…: what a worker does in place of `ready`;
 * run_…: in place of its answer to `run`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "proto/fdpass.h"
#include "proto/rpc.h"
#include "proto/shm.h"

#define LINK_FD 3
#define MAX_FDS 250

static uint8_t packet[PROTO_PACKET_BYTES];
static struct buf out;
static struct bufpack p;
static uint32_t msgid; /* of the request being served */
static uint64_t id;    /* of the job */

/* ---- bytes --------------------------------------------------------------------------------------
 */

static void begin(void)
{
	buf_clear(&out);
	bufpack_init(&p, &out);
}

static void send_bytes(const void *bytes, size_t len, const int *fds, unsigned n_fds)
{
	struct iovec iov = {(void *)bytes, len};

	if (fdpass_send(LINK_FD, &iov, 1, 0, fds, n_fds) < 0)
		_exit(9);
}

static void send_out(const int *fds, unsigned n_fds)
{
	send_bytes(buf_head(&out), buf_used(&out), fds, n_fds);
}

static void pack_meas(void)
{
	bufpack_map(&p, 1);
	bufpack_text(&p, "run_us");
	bufpack_uint(&p, 1);
}

/* [1, msgid, nil, [ — the result and meas follow. */
static void begin_result(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_array(&p, 2);
}

static void answer_nil(void)
{
	begin_result();
	bufpack_nil(&p);
	pack_meas();
	send_out(NULL, 0);
}

/* The result is the fd. */
static void answer_fd(int fd)
{
	begin_result();
	bufpack_ext_fd(&p, 0);
	pack_meas();
	send_out(&fd, 1);
}

static void pack_functions(unsigned n)
{
	char name[32];

	bufpack_array(&p, n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), i ? "f%u" : "run", i);
		bufpack_map(&p, 2);
		bufpack_text(&p, "name");
		bufpack_text(&p, name);
		bufpack_text(&p, "flags");
		bufpack_array(&p, 0);
	}
}

static void send_ready(unsigned protocol, unsigned n_functions)
{
	begin();
	rpc_pack_notification(&p, "ready");
	bufpack_array(&p, 1);
	bufpack_map(&p, 2);
	bufpack_text(&p, "protocol");
	bufpack_uint(&p, protocol);
	bufpack_text(&p, "functions");
	pack_functions(n_functions);
	send_out(NULL, 0);
}

static void pack_nested(unsigned depth)
{
	while (depth-- > 0)
		bufpack_array(&p, 1);
	bufpack_nil(&p);
}

/* ---- in place of an answer ----------------------------------------------------------------------
 */

static void run_garbage(void)
{
	send_bytes("\xc1\xc1\xc1", 3, NULL, 0);
}

static void run_no_rpc(void)
{
	send_bytes("\x92\x01\x02", 3, NULL, 0);
}

static void run_cut_short(void)
{
	send_bytes("\x94\x01", 2, NULL, 0);
}

static void run_huge_count(void)
{
	send_bytes("\x94\x01\x00\xc0\xdd\xff\xff\xff\xff", 9, NULL, 0);
}

static void run_empty(void)
{
	send_bytes("", 0, NULL, 0);
}

static void run_trailing(void)
{
	answer_nil();
	bufpack_nil(&p);
	send_out(NULL, 0);
}

static void run_wrong_msgid(void)
{
	msgid += 1000;
	answer_nil();
}

static void run_answer_twice(void)
{
	answer_nil();
	answer_nil();
}

static void run_result_no_array(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_uint(&p, 7);
	send_out(NULL, 0);
}

static void run_meas_no_map(void)
{
	begin_result();
	bufpack_nil(&p);
	bufpack_text(&p, "quick");
	send_out(NULL, 0);
}

static void run_error_and_result(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_text(&p, "wrong");
	bufpack_text(&p, "right");
	send_out(NULL, 0);
}

static void run_error_no_code(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_array(&p, 3);
	bufpack_uint(&p, 1);
	bufpack_text(&p, "message");
	bufpack_map(&p, 0);
	bufpack_nil(&p);
	send_out(NULL, 0);
}

static void run_request(void)
{
	begin();
	rpc_pack_request(&p, 1, "submit");
	bufpack_array(&p, 0);
	send_out(NULL, 0);
}

static void run_unknown_notification(void)
{
	begin();
	rpc_pack_notification(&p, "hello");
	bufpack_array(&p, 0);
	send_out(NULL, 0);
}

static void run_ready_again(void)
{
	send_ready(1, 1);
}

static void run_deep(void)
{
	begin_result();
	pack_nested(PROTO_VALUE_DEPTH + 1);
	pack_meas();
	send_out(NULL, 0);
}

static void run_very_deep(void)
{
	begin_result();
	pack_nested(10000);
	pack_meas();
	send_out(NULL, 0);
}

static void run_too_long(void)
{
	static uint8_t bytes[PROTO_PACKET_BYTES + 1] = "\xc6\x00\x01\xff\xfb";

	send_bytes(bytes, sizeof(bytes), NULL, 0);
}

static void run_ext_2(void)
{
	begin_result();
	bufpack_ext(&p, PROTO_EXT_FUTURE, "\0\0\0\0\0\0\0\1", 8);
	pack_meas();
	send_out(NULL, 0);
}

static void run_ext_3(void)
{
	int fd = shm_from_bytes("hostile", "\xc0", 1);

	begin_result();
	bufpack_ext(&p, PROTO_EXT_VALUE, "\0", 1);
	pack_meas();
	send_out(&fd, 1);
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

	begin_result();
	bufpack_nil(&p);
	pack_meas();
	iov = (struct iovec){(void *)buf_head(&out), buf_used(&out)};
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(200 * sizeof(int));
	memset(CMSG_DATA(&control.align), 0, 200 * sizeof(int)); /* fd 0, 200 times */
	if (sendmsg(LINK_FD, &msg, 0) < 0)
		_exit(9);
}

static void run_fd_unnamed(void)
{
	int fd = shm_from_bytes("hostile", "x", 1);

	begin_result();
	bufpack_nil(&p);
	pack_meas();
	send_out(&fd, 1);
}

static void run_fd_missing(void)
{
	begin_result();
	bufpack_ext_fd(&p, 0);
	pack_meas();
	send_out(NULL, 0);
}

static void run_fd_gap(void)
{
	int fds[2] = {shm_from_bytes("hostile", "x", 1), shm_from_bytes("hostile", "x", 1)};

	begin_result();
	bufpack_ext_fd(&p, 1);
	pack_meas();
	send_out(fds, 2);
}

static void run_fds_over_limit(void)
{
	int fds[PROTO_RESULT_FDS + 1];

	begin_result();
	bufpack_array(&p, ARRAY_SIZE(fds));
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = shm_from_bytes("hostile", "x", 1);
		bufpack_ext_fd(&p, (uint8_t)i);
	}
	pack_meas();
	send_out(fds, ARRAY_SIZE(fds));
}

static void run_fd_in_meas(void)
{
	int fd = shm_from_bytes("hostile", "x", 1);

	begin_result();
	bufpack_nil(&p);
	bufpack_map(&p, 1);
	bufpack_text(&p, "here");
	bufpack_ext_fd(&p, 0);
	send_out(&fd, 1);
}

static void run_unsealed(void)
{
	answer_fd(shm_new("hostile", 100));
}

static void run_half_sealed(void)
{
	int fd = shm_new("hostile", 100);

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		_exit(9);
	answer_fd(fd);
}

static void run_pipe(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		_exit(9);
	answer_fd(fds[0]);
}

static void run_socket(void)
{
	answer_fd(LINK_FD);
}

static void run_shut_down(void)
{
	shutdown(LINK_FD, SHUT_RDWR);
}

static void begin_notification(const char *method, unsigned n)
{
	begin();
	rpc_pack_notification(&p, method);
	bufpack_array(&p, n);
}

static void run_bad_progress(void)
{
	begin_notification("progress", 4);
	bufpack_uint(&p, id);
	bufpack_text(&p, "some");
	bufpack_text(&p, "more");
	bufpack_nil(&p);
	send_out(NULL, 0);
}

static void send_output(const char *stream, uint64_t of, int fd)
{
	begin_notification("output", 3);
	bufpack_uint(&p, of);
	bufpack_text(&p, stream);
	bufpack_ext_fd(&p, 0);
	send_out(&fd, 1);
}

static void run_output_no_memfd(void)
{
	send_output("stdout", id, 0);
}

static void run_output_no_stream(void)
{
	send_output("stdlog", id, shm_new("hostile", 0));
}

static void run_output_gap(void)
{
	int fd = shm_new("hostile", 0);

	begin_notification("output", 3);
	bufpack_uint(&p, id);
	bufpack_text(&p, "stdout");
	bufpack_ext_fd(&p, 1);
	send_out(&fd, 1);
}

static void run_output_twice(void)
{
	send_output("stdout", id, shm_new("hostile", 0));
	send_output("stdout", id, shm_new("hostile", 0));
}

/* ---- no broken protocol, but not nice -----------------------------------------------------------
 */

/* Of others, and more than anybody wants to read: then the answer. */
static void nice_news(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		begin_notification("progress", 4);
		bufpack_uint(&p, i % 2 ? id : id + 1);
		bufpack_uint(&p, i);
		bufpack_uint(&p, 5000);
		bufpack_text(&p, "\x1b[2J\xff news");
		send_out(NULL, 0);
	}
	send_output("stderr", id + 1, shm_new("hostile", 0));
	answer_nil();
}

/* Much news, the answer, and then it is gone. */
static void nice_last_answer(void)
{
	for (unsigned i = 0; i < 100; i++) {
		begin_notification("progress", 4);
		bufpack_uint(&p, id);
		bufpack_uint(&p, i);
		bufpack_uint(&p, 100);
		bufpack_nil(&p);
		send_out(NULL, 0);
	}
	answer_nil();
	_exit(3);
}

static void nice_flood(void)
{
	for (unsigned i = 0; i < 50000; i++)
		fprintf(stderr, "%u bottles of beer, \x1b[31m%c\n", i, 0xff);
	answer_nil();
}

static void nice_flags(void)
{
	int size = 1;

	fcntl(LINK_FD, F_SETFL, O_NONBLOCK);
	setsockopt(LINK_FD, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	answer_nil();
	fcntl(LINK_FD, F_SETFL, 0);
}

/* Receives two runs, then answers both in one packet. */
static void nice_pair(void)
{
	static uint32_t first_msgid;
	static unsigned n;

	if (n++ == 0) {
		first_msgid = msgid;
		return;
	}
	begin();
	for (int i = 0; i < 2; i++) {
		rpc_pack_answer(&p, i ? msgid : first_msgid);
		bufpack_nil(&p);
		bufpack_array(&p, 2);
		bufpack_uint(&p, (uint64_t)i);
		pack_meas();
	}
	send_out(NULL, 0);
}

/* Asks to be replaced in the middle of its first job. */
static void nice_recycle(void)
{
	begin_notification("recycle", 0);
	send_out(NULL, 0);
	answer_nil();
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
	answer_nil();
}

static void nice_strange_failure(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_array(&p, 3);
	bufpack_text(&p, "Not a \x01 code");
	bufpack_text(&p, "\xff\xfe broken\ntext");
	bufpack_map(&p, 1);
	bufpack_text(&p, "data");
	bufpack_bin(&p, packet, PROTO_DATA_BYTES + 1);
	bufpack_nil(&p);
	send_out(NULL, 0);
}

/* ---- in place of `ready` ------------------------------------------------------------------------
 */

static void start_answer(void)
{
	answer_nil();
}

static void start_garbage(void)
{
	run_garbage();
}

static void start_many_functions(void)
{
	send_ready(1, 5000);
}

static void start_protocol_2(void)
{
	send_ready(2, 1);
}

static void start_never(void)
{
	pause();
}

static void start_exit(void)
{
	_exit(3);
}

static void start_progress(void)
{
	begin_notification("progress", 4);
	bufpack_uint(&p, 1);
	bufpack_uint(&p, 1);
	bufpack_uint(&p, 1);
	bufpack_text(&p, "");
	send_out(NULL, 0);
}

/* Ready, and an answer that nobody waits for. */
static void start_answer_early(void)
{
	send_ready(1, 1);
	answer_nil();
}

/* Ready, but it never receives. */
static void start_deaf(void)
{
	send_ready(1, 1);
	pause();
}

/* ---- the zygote ---------------------------------------------------------------------------------
 */

static void zygote_answer_functions(unsigned n)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_map(&p, 1);
	bufpack_text(&p, "functions");
	pack_functions(n);
	send_out(NULL, 0);
}

static void zygote_garbage(void)
{
	run_garbage();
	pause();
}

static void zygote_many_functions(void)
{
	zygote_answer_functions(5000);
	pause();
}

static void zygote_bad_name(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_map(&p, 1);
	bufpack_text(&p, "functions");
	bufpack_array(&p, 1);
	bufpack_map(&p, 1);
	bufpack_text(&p, "name");
	bufpack_text(&p, "../../etc/passwd");
	send_out(NULL, 0);
	pause();
}

static void zygote_exit(void)
{
	fprintf(stderr, "no such luck\n");
	_exit(3);
}

static void zygote_never(void)
{
	pause();
}

static void zygote_error(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_array(&p, 3);
	bufpack_text(&p, "bad_module");
	bufpack_text(&p, "the moon is in the wrong\nhouse");
	bufpack_map(&p, 0);
	bufpack_nil(&p);
	send_out(NULL, 0);
	_exit(1);
}

static void fork_answer(pid_t pid)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_int(&p, pid);
	send_out(NULL, 0);
}

static void fork_init(void)
{
	fork_answer(1);
}

static void fork_self(void)
{
	fork_answer(getpid());
}

static void fork_daemon(void)
{
	fork_answer(getppid());
}

static void fork_negative(void)
{
	fork_answer(-1);
}

static void fork_wrong_msgid(void)
{
	msgid += 7;
	fork_answer(1);
}

static void fork_exit(void)
{
	_exit(4);
}

static void fork_error(void)
{
	begin();
	rpc_pack_answer(&p, msgid);
	bufpack_array(&p, 3);
	bufpack_text(&p, "internal");
	bufpack_text(&p, "no more processes");
	bufpack_map(&p, 0);
	bufpack_nil(&p);
	send_out(NULL, 0);
}

static void fork_never(void)
{
	pause();
}

/* ---- which --------------------------------------------------------------------------------------
 */

struct deed {
	const char *name;
	void (*act)(void);
};

#define DEED(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct deed deeds[] = {
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
	DEED(run_unsealed),
	DEED(run_half_sealed),
	DEED(run_pipe),
	DEED(run_socket),
	DEED(run_shut_down),
	DEED(run_bad_progress),
	DEED(run_output_no_memfd),
	DEED(run_output_no_stream),
	DEED(run_output_twice),
	DEED(run_output_gap),
	DEED(nice_recycle),
	DEED(nice_crash_second),
	DEED(nice_crash),
	DEED(nice_pair),
	DEED(nice_last_answer),
	DEED(nice_news),
	DEED(nice_flood),
	DEED(nice_flags),
	DEED(nice_strange_failure),
	DEED(start_answer),
	DEED(start_garbage),
	DEED(start_many_functions),
	DEED(start_protocol_2),
	DEED(start_never),
	DEED(start_exit),
	DEED(start_progress),
	DEED(start_answer_early),
	DEED(start_deaf),
	DEED(zygote_garbage),
	DEED(zygote_many_functions),
	DEED(zygote_bad_name),
	DEED(zygote_exit),
	DEED(zygote_never),
	DEED(zygote_error),
	DEED(fork_init),
	DEED(fork_self),
	DEED(fork_daemon),
	DEED(fork_negative),
	DEED(fork_wrong_msgid),
	DEED(fork_exit),
	DEED(fork_error),
	DEED(fork_never),
};

static const char *pool;

/* Does what the pool's name says if it begins so. False: honest here. */
static bool misbehave(const char *prefix)
{
	if (strncmp(pool, prefix, strlen(prefix)) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		if (strcmp(deeds[i].name, pool) == 0) {
			deeds[i].act();
			return true;
		}
	_exit(8);
}

/* The next request; its msgid, and for a run the job's ID. False: end of file. */
static bool receive(struct rpc *m, struct fdqueue *fds)
{
	int condition = 0;
	ssize_t n;
	const char *key;
	uint32_t entries;
	size_t len;

	do
		n = fdpass_recv(LINK_FD, packet, sizeof(packet), 0, fds, &condition);
	while (n == -EINTR || n == -EAGAIN);
	if (n <= 0 || condition || rpc_parse(m, packet, (size_t)n) != 0)
		return false;
	msgid = m->msgid;
	if (text_equal(m->method, m->method_len, "run")) {
		struct cursor c = m->params;

		/* function, input, then meta, whose first entry is the ID */
		if (!cursor_skip(&c, NULL) || !cursor_skip(&c, NULL) || !cursor_map(&c, &entries) ||
			!cursor_text(&c, &key, &len) || !cursor_uint(&c, &id))
			_exit(7);
	}
	return true;
}

static void __attribute__((noreturn)) work(void)
{
	struct fdqueue fds;
	struct rpc m;

	fdqueue_init(&fds, PROTO_PACKET_FDS);
	if (!misbehave("start_"))
		send_ready(1, 1);
	while (receive(&m, &fds)) {
		fdqueue_deinit(&fds);
		if (m.type == RPC_REQUEST && !misbehave("run_") && !misbehave("nice_"))
			answer_nil();
	}
	_exit(0);
}

static void be_worker(struct fdqueue *fds)
{
	dup2(fds->fds[0], LINK_FD);
	dup2(fds->fds[1], STDERR_FILENO);
	fdqueue_deinit(fds);
	work();
}

static void fork_worker(struct fdqueue *fds)
{
	pid_t *worker = mmap(
		NULL, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t middle = fork();

	if (middle == 0) {
		pid_t pid = fork();

		if (pid == 0)
			be_worker(fds);
		*worker = pid;
		_exit(0);
	}
	waitpid(middle, NULL, 0);
	fork_answer(*worker);
	munmap(worker, sizeof(pid_t));
}

int main(int argc, char **argv)
{
	struct fdqueue fds;
	struct rpc m;

	pool = argc > 1 ? argv[1] : "";
	buf_init(&out, 4 * PROTO_PACKET_BYTES);
	fdqueue_init(&fds, PROTO_PACKET_FDS);
	while (receive(&m, &fds)) {
		if (text_equal(m.method, m.method_len, "setup")) {
			if (!misbehave("zygote_"))
				zygote_answer_functions(1);
		} else if (!misbehave("fork_")) {
			fork_worker(&fds);
		}
		fdqueue_deinit(&fds);
	}
	buf_deinit(&out);
	return 0;
}
