/* What this machine can do at all, for poold to be measured beside: nothing is kept, checked or supervised.
 *
 *	floor hops N THERE BACK		four blocking hops through three processes, of 64 bytes and so many more on the
 *					way there and back: p50 and p99 in µs
 *	floor broker N PACK		a loop that forwards N 64-byte no-op requests from one client to two workers, PACK
 *					of them a packet, at most 64 on their way to each worker: per second
 *	floor spawn N PROGRAM		two processes that posix_spawn() and wait, N in all: per second
 */
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "proto/buf.h"
#include "proto/rpc.h"
#include "proto/scan.h"
#include "tests/bench/sample.h"
#include "tests/bench/stream.h"

#define BYTES	   64
#define WORKERS	   2
#define WINDOW	   64
#define BROKER_MAX (64u << 20)

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static void pair(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		die("socketpair");
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

/* ---- hops ---- */

static char message[BYTES + (1 << 20)];

/* False: end of file. */
static bool get(int fd, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = read(fd, message + at, n - at);

		if (r <= 0)
			return false;
		at += (size_t)r;
	}
	return true;
}

static void put(int fd, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = write(fd, message + at, n - at);

		if (r <= 0)
			die("write");
		at += (size_t)r;
	}
}

static void hop(int in, size_t n_in, int out, size_t n_out)
{
	if (!get(in, n_in))
		_exit(0);
	put(out, n_out);
}

static void hops(unsigned n, size_t there, size_t back)
{
	struct sample s = sample_new(n);
	int client[2], worker[2];

	pair(SOCK_STREAM, client);
	pair(SOCK_STREAM, worker);
	if (child() == 0) {
		close(client[0]);
		close(client[1]);
		close(worker[0]);
		for (;;)
			hop(worker[1], there, worker[1], back);
	}
	if (child() == 0) {
		close(client[0]);
		close(worker[1]);
		for (;;) {
			hop(client[1], there, worker[0], there);
			hop(worker[0], back, client[1], back);
		}
	}
	close(client[1]);
	close(worker[0]);
	close(worker[1]);
	for (unsigned i = 0; i < n; i++) {
		uint64_t from_ns = sample_now_ns();

		put(client[0], there);
		if (!get(client[0], back))
			die("client");
		sample_add(&s, sample_now_ns() - from_ns);
	}
	sample_print(&s);
	close(client[0]);
}

/* ---- broker ---- */

static void pack_request(struct buf *b, uint32_t msgid)
{
	static const uint8_t bytes[BYTES];
	struct bufpack p;

	bufpack_init(&p, b);
	rpc_pack_request(&p, msgid, "run");
	bufpack_array(&p, 1);
	bufpack_bin(&p, bytes, sizeof(bytes));
	if (bufpack_error(&p) != 0)
		die("pack");
}

static void pack_answer(struct buf *b, uint32_t msgid)
{
	struct bufpack p;

	bufpack_init(&p, b);
	rpc_pack_answer(&p, msgid);
	bufpack_nil(&p);
	bufpack_nil(&p);
	if (bufpack_error(&p) != 0)
		die("pack");
}

/* Calls `each` for every whole message in front, and drops it. */
static void take_messages(struct buf *b, void (*each)(const struct rpc *, void *), void *userdata)
{
	struct scan s;
	struct rpc m;

	for (;;) {
		scan_init(&s, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
		if (!buf_used(b) || scan_step(&s, buf_head(b), buf_used(b)) != SCAN_DONE ||
			rpc_parse(&m, buf_head(b), s.pos) != 0)
			return;
		each(&m, userdata);
		buf_consume(b, s.pos);
	}
}

static void answer_run(const struct rpc *m, void *out)
{
	pack_answer(out, m->msgid);
}

static void worker(int fd)
{
	struct buf in = BUF_INIT(BROKER_MAX), out = BUF_INIT(BROKER_MAX);

	while (stream_read(fd, &in, 0) > 0) {
		take_messages(&in, answer_run, &out);
		if (send(fd, buf_head(&out), buf_used(&out), MSG_NOSIGNAL) < 0)
			break;
		buf_clear(&out);
	}
	_exit(0);
}

struct broker {
	uint32_t *queue;
	unsigned head, tail;
	struct buf out;
	unsigned n_inflight[WORKERS];
	unsigned from; /* the worker whose answers are read */
};

static void enqueue(const struct rpc *m, void *userdata)
{
	struct broker *b = userdata;

	b->queue[b->tail++] = m->msgid;
}

static void forward_answer(const struct rpc *m, void *userdata)
{
	struct broker *b = userdata;

	b->n_inflight[b->from]--;
	pack_answer(&b->out, m->msgid);
}

static void feed(struct broker *b, int fd, unsigned w, unsigned pack)
{
	static struct buf packet = {.max = BROKER_MAX};

	while (b->head < b->tail && b->n_inflight[w] < WINDOW) {
		for (unsigned i = 0; i < pack && b->head < b->tail && b->n_inflight[w] < WINDOW;
			i++) {
			pack_request(&packet, b->queue[b->head++]);
			b->n_inflight[w]++;
		}
		if (send(fd, buf_head(&packet), buf_used(&packet), MSG_NOSIGNAL) < 0)
			die("send");
		buf_clear(&packet);
	}
}

static void broker(int client, const int *workers, unsigned n, unsigned pack)
{
	struct broker b = {.queue = calloc(n, sizeof(*b.queue)), .out = BUF_INIT(BROKER_MAX)};
	struct buf in = BUF_INIT(BROKER_MAX), answers = BUF_INIT(BROKER_MAX);
	struct pollfd fds[1 + WORKERS] = {{.fd = client}};

	for (int w = 0; w < WORKERS; w++)
		fds[1 + w] = (struct pollfd){.fd = workers[w], .events = POLLIN};
	for (;;) {
		fds[0].events = buf_used(&b.out) ? POLLIN | POLLOUT : POLLIN;
		if (poll(fds, 1 + WORKERS, -1) < 0)
			die("poll");
		if ((fds[0].revents & (POLLIN | POLLHUP)) &&
			stream_read(client, &in, MSG_DONTWAIT) == 0)
			_exit(0);
		take_messages(&in, enqueue, &b);
		for (b.from = 0; b.from < WORKERS; b.from++)
			while (fds[1 + b.from].revents &&
				stream_read(workers[b.from], &answers, MSG_DONTWAIT) > 0)
				take_messages(&answers, forward_answer, &b);
		for (unsigned w = 0; w < WORKERS; w++)
			feed(&b, workers[w], w, pack);
		stream_write(client, &b.out);
	}
}

static void count(const struct rpc *m, void *n)
{
	++*(unsigned *)n;
}

static void brokered(unsigned n, unsigned pack)
{
	struct buf in = BUF_INIT(BROKER_MAX), out = BUF_INIT(BROKER_MAX);
	int client[2], links[WORKERS][2], ends[WORKERS];
	unsigned sent = 0, done = 0;
	uint64_t from_us;

	pair(SOCK_STREAM, client);
	for (int w = 0; w < WORKERS; w++) {
		pair(SOCK_SEQPACKET, links[w]);
		ends[w] = links[w][0];
		if (child() == 0) {
			for (int i = 0; i <= w; i++)
				close(links[i][0]);
			close(client[0]);
			close(client[1]);
			worker(links[w][1]);
		}
		close(links[w][1]);
	}
	if (child() == 0) {
		close(client[0]);
		broker(client[1], ends, n, pack);
	}
	close(client[1]);
	for (int w = 0; w < WORKERS; w++)
		close(links[w][0]);
	from_us = clock_now_us();
	while (done < n) {
		struct pollfd p = {.fd = client[0], .events = sent < n ? POLLIN | POLLOUT : POLLIN};

		while (sent < n && buf_used(&out) < STREAM_CHUNK)
			pack_request(&out, sent++);
		stream_write(client[0], &out);
		if (buf_used(&out))
			p.events |= POLLOUT;
		poll(&p, 1, -1);
		if ((p.revents & POLLIN) && stream_read(client[0], &in, MSG_DONTWAIT) > 0)
			take_messages(&in, count, &done);
	}
	printf("{\"per_second\": %.0f}\n", n / ((double)(clock_now_us() - from_us) / 1e6));
	close(client[0]);
	buf_deinit(&in);
	buf_deinit(&out);
}

/* ---- spawn ---- */

extern char **environ;

static void spawn_loop(unsigned n, char *program)
{
	char *argv[] = {program, NULL};
	pid_t pid;
	int status;

	for (unsigned i = 0; i < n; i++)
		if (posix_spawnp(&pid, program, NULL, NULL, argv, environ) != 0 ||
			waitpid(pid, &status, 0) < 0)
			_exit(1);
	_exit(0);
}

static void spawn(unsigned n, char *program)
{
	uint64_t from_us = clock_now_us();

	for (int i = 0; i < WORKERS; i++)
		if (child() == 0)
			spawn_loop(n / WORKERS, program);
	while (wait(NULL) > 0)
		;
	printf("{\"per_second\": %.0f}\n", n / ((double)(clock_now_us() - from_us) / 1e6));
}

static unsigned long number(const char *s)
{
	return strtoul(s, NULL, 10);
}

/* Of bytes beside the 64. */
static size_t size(const char *s)
{
	return BYTES + (number(s) < sizeof(message) - BYTES ? number(s) : sizeof(message) - BYTES);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	unsigned n = argc > 2 ? (unsigned)number(argv[2]) : 0;

	if (n && argc == 5 && strcmp(mode, "hops") == 0)
		hops(n, size(argv[3]), size(argv[4]));
	else if (n && argc == 4 && strcmp(mode, "broker") == 0)
		brokered(n, (unsigned)number(argv[3]));
	else if (n && argc == 4 && strcmp(mode, "spawn") == 0)
		spawn(n, argv[3]);
	else {
		fputs("usage: floor hops N THERE BACK | broker N PACK | spawn N PROGRAM\n", stderr);
		return 2;
	}
	fflush(stdout);
	while (wait(NULL) > 0)
		;
	return 0;
}
