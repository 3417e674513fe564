/* In place of poold-worker: a zygote and worker that break their protocols. The pool's name says
 * how: one of the names in the tables in hostile_*.c. Any other pool is served honestly: every
 * function's result is nil.
 *
 * zygote_…: what it does with `setup` or `fork`; start_…: what a worker does in place of `ready`;
 * run_…: in place of its answer to `run`; nice_…: an answer that breaks nothing, but is not nice.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/lib/hostile.h"

uint32_t hostile_msgid;
uint64_t hostile_id;
struct buf hostile_out;
struct bufpack hostile_pack;

static uint8_t packet[PROTO_PACKET_BYTES];

/* ---- bytes --------------------------------------------------------------------------------------
 */

void hostile_begin(void)
{
	buf_clear(&hostile_out);
	bufpack_init(&hostile_pack, &hostile_out);
}

static void send_bytes(const void *bytes, size_t len, const int *fds, unsigned n_fds)
{
	struct iovec iov = {(void *)bytes, len};

	if (fdpass_send(HOSTILE_FD, &iov, 1, 0, fds, n_fds) < 0)
		_exit(9);
}

void hostile_send_bytes(const void *bytes, size_t len)
{
	send_bytes(bytes, len, NULL, 0);
}

void hostile_send(const int *fds, unsigned n_fds)
{
	send_bytes(buf_head(&hostile_out), buf_used(&hostile_out), fds, n_fds);
}

void hostile_pack_meas(void)
{
	bufpack_map(&hostile_pack, 1);
	bufpack_text(&hostile_pack, "run_us");
	bufpack_uint(&hostile_pack, 1);
}

void hostile_begin_result(void)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_nil(&hostile_pack);
	bufpack_array(&hostile_pack, 2);
}

void hostile_answer_nil(void)
{
	hostile_begin_result();
	bufpack_nil(&hostile_pack);
	hostile_pack_meas();
	hostile_send(NULL, 0);
}

void hostile_begin_error(const char *code, const char *message, unsigned n_entries)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_array(&hostile_pack, 3);
	bufpack_text(&hostile_pack, code);
	bufpack_text(&hostile_pack, message);
	bufpack_map(&hostile_pack, n_entries);
}

void hostile_answer_fd(int fd)
{
	hostile_begin_result();
	bufpack_ext_fd(&hostile_pack, 0);
	hostile_pack_meas();
	hostile_send(&fd, 1);
}

void hostile_pack_functions(unsigned n)
{
	char name[32];

	bufpack_array(&hostile_pack, n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), i ? "f%u" : "run", i);
		bufpack_map(&hostile_pack, 2);
		bufpack_text(&hostile_pack, "name");
		bufpack_text(&hostile_pack, name);
		bufpack_text(&hostile_pack, "flags");
		bufpack_array(&hostile_pack, 0);
	}
}

void hostile_send_ready(unsigned protocol, unsigned n_functions)
{
	hostile_begin();
	rpc_pack_notification(&hostile_pack, "ready");
	bufpack_array(&hostile_pack, 1);
	bufpack_map(&hostile_pack, 2);
	bufpack_text(&hostile_pack, "protocol");
	bufpack_uint(&hostile_pack, protocol);
	bufpack_text(&hostile_pack, "functions");
	hostile_pack_functions(n_functions);
	hostile_send(NULL, 0);
}

void hostile_answer_functions(unsigned n)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_nil(&hostile_pack);
	bufpack_map(&hostile_pack, 1);
	bufpack_text(&hostile_pack, "functions");
	hostile_pack_functions(n);
	hostile_send(NULL, 0);
}

void hostile_answer_pid(pid_t pid)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_nil(&hostile_pack);
	bufpack_int(&hostile_pack, pid);
	hostile_send(NULL, 0);
}

void hostile_begin_notification(const char *method, unsigned n)
{
	hostile_begin();
	rpc_pack_notification(&hostile_pack, method);
	bufpack_array(&hostile_pack, n);
}

void hostile_send_progress(uint64_t of, uint64_t done, uint64_t total, const char *text)
{
	hostile_begin_notification("progress", 4);
	bufpack_uint(&hostile_pack, of);
	bufpack_uint(&hostile_pack, done);
	bufpack_uint(&hostile_pack, total);
	if (text)
		bufpack_text(&hostile_pack, text);
	else
		bufpack_nil(&hostile_pack);
	hostile_send(NULL, 0);
}

void hostile_send_output(const char *stream, uint64_t of, int fd)
{
	hostile_begin_notification("output", 3);
	bufpack_uint(&hostile_pack, of);
	bufpack_text(&hostile_pack, stream);
	bufpack_ext_fd(&hostile_pack, 0);
	hostile_send(&fd, 1);
}

/* ---- which --------------------------------------------------------------------------------------
 */

static const char *pool;

static bool act(const struct hostile_deed *deeds)
{
	for (; deeds->name; deeds++)
		if (strcmp(deeds->name, pool) == 0) {
			deeds->act();
			return true;
		}
	return false;
}

/* Does what the pool's name says if it begins so. False: honest here. */
static bool misbehave(const char *prefix)
{
	if (strncmp(pool, prefix, strlen(prefix)) != 0)
		return false;
	if (!act(hostile_answers) && !act(hostile_each) && !act(hostile_fds) &&
		!act(hostile_nice) && !act(hostile_starts))
		_exit(8);
	return true;
}

/* The next request; notes its msgid, and for a run the job's ID. False: end of file. */
static bool receive(struct rpc *m, struct fdqueue *fds)
{
	int condition = 0;
	ssize_t n;
	const char *key;
	uint32_t entries;
	size_t len;

	do
		n = fdpass_recv(HOSTILE_FD, packet, sizeof(packet), 0, fds, &condition);
	while (n == -EINTR || n == -EAGAIN);
	if (n <= 0 || condition || rpc_parse(m, packet, (size_t)n) != 0)
		return false;
	hostile_msgid = m->msgid;
	if (text_equal(m->method, m->method_len, "run")) {
		struct cursor c = m->params;

		/* function, input, then meta, whose first entry is the ID */
		if (!cursor_skip(&c, NULL) || !cursor_skip(&c, NULL) || !cursor_map(&c, &entries) ||
			!cursor_text(&c, &key, &len) || !cursor_uint(&c, &hostile_id))
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
		hostile_send_ready(1, 1);
	while (receive(&m, &fds)) {
		fdqueue_deinit(&fds);
		if (m.type == RPC_REQUEST && !misbehave("run_") && !misbehave("each_") &&
			!misbehave("nice_"))
			hostile_answer_nil();
	}
	_exit(0);
}

/* The daemon's, once the middle process is gone; then it ends with its parent, whatever happens to
 * the test. */
static void be_worker(struct fdqueue *fds, pid_t middle)
{
	while (getppid() == middle)
		sched_yield();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fds->fds[0], HOSTILE_FD);
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
		pid_t self = getpid(), pid = fork();

		if (pid == 0)
			be_worker(fds, self);
		*worker = pid;
		_exit(0);
	}
	waitpid(middle, NULL, 0);
	hostile_answer_pid(*worker);
	munmap(worker, sizeof(pid_t));
}

int main(int argc, char **argv)
{
	struct fdqueue fds;
	struct rpc m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pool = argc > 1 ? argv[1] : "";
	buf_init(&hostile_out, 4 * PROTO_PACKET_BYTES);
	fdqueue_init(&fds, PROTO_PACKET_FDS);
	while (receive(&m, &fds)) {
		if (text_equal(m.method, m.method_len, "setup")) {
			if (!misbehave("zygote_"))
				hostile_answer_functions(1);
		} else if (!misbehave("fork_")) {
			fork_worker(&fds);
		}
		fdqueue_deinit(&fds);
	}
	buf_deinit(&hostile_out);
	return 0;
}
