/* Many connections.
 *
 *	connections SOCKET idle N	N connections that have done something: bytes of the daemon's memory for each; µs of
 *					a no-op call of another one without them and beside them (medians)
 *	connections SOCKET fanout N	N connections wait for one future: µs each, from its end to the last one's answer
 *	connections floor fanout N	its floor: a loop that writes as many messages to as many sockets
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/poold-request.h"
#include "proto/rpc.h"
#include "tests/bench/flow.h"
#include "tests/bench/resident.h"
#include "tests/bench/sample.h"

#define MESSAGE_MAX 256
#define EVENTS	    256
#define N_CALLS	    5000

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- a connection ---- */

static int connect_to(const struct sockaddr_un *a, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const void *)a, len) < 0)
		die("connect");
	return fd;
}

static void request(int fd, const char *method, uint64_t id)
{
	struct buf b = BUF_INIT(MESSAGE_MAX);
	struct bufpack p;

	bufpack_init(&p, &b);
	rpc_pack_request(&p, 1, method);
	bufpack_array(&p, id ? 1 : 0);
	if (id) {
		bufpack_array(&p, 1);
		bufpack_uint(&p, id);
	}
	if (bufpack_error(&p) < 0 || write(fd, buf_head(&b), buf_used(&b)) != (ssize_t)buf_used(&b))
		die("request");
	buf_deinit(&b);
}

static void take_answer(int fd)
{
	char m[MESSAGE_MAX];

	if (read(fd, m, sizeof(m)) <= 0)
		die("an answer");
}

/* All of them wait for `id`, if it is one. */
static int *open_all(const char *path, unsigned n, uint64_t id)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int *fds = calloc(n, sizeof(*fds));

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = connect_to(&a, sizeof(a));
		if (id)
			request(fds[i], "wait", id);
		request(fds[i], "ping", 0);
		take_answer(fds[i]);
	}
	return fds;
}

static void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
}

/* ---- idle ---- */

static double call_us(poold *p)
{
	struct sample s = sample_new(N_CALLS);
	struct flow w = {.handle = p};
	double us;

	for (unsigned i = 0; i < N_CALLS; i++) {
		uint64_t from_ns = sample_now_ns();

		if (!flow_send(&w, "bench/noop", flow_input(), NULL))
			flow_check(-EAGAIN, p, "submit");
		flow_await(&w, w.n_sent);
		sample_add(&s, sample_now_ns() - from_ns);
	}
	us = sample_us(&s, 50);
	free(s.ns);
	return us;
}

static void idle(const char *path, unsigned n)
{
	double alone_us, beside_us;
	uint64_t before;
	poold *p;
	int *fds;

	flow_check(poold_open(&p, path), NULL, "open");
	alone_us = call_us(p);
	before = resident_bytes(path);
	fds = open_all(path, n, 0);
	before = resident_bytes(path) - before;
	beside_us = call_us(p);
	printf("{\"bytes\": %.1f, \"alone_us\": %.2f, \"beside_us\": %.2f}\n", (double)before / n,
		alone_us, beside_us);
	close_all(fds, n);
	poold_unref(p);
}

/* ---- fan-out ---- */

/* One answer of each. */
static void take_all(int epoll, unsigned n)
{
	struct epoll_event events[EVENTS];

	while (n) {
		int ready = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < ready; i++, n--)
			take_answer(events[i].data.fd);
	}
}

static int epoll_of(const int *fds, unsigned n)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fds[i]};

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &e) < 0)
			die("epoll_ctl");
	}
	return epoll;
}

static void print_each(uint64_t from_ns, unsigned n)
{
	printf("{\"us\": %.3f}\n", (double)(sample_now_ns() - from_ns) / 1e3 / n);
}

static void fan_out(const char *path, unsigned n)
{
	poold_options o = {.size = sizeof(o), .delay_us = 3600000000};
	poold_future *f;
	uint64_t from_ns;
	int *fds, epoll;
	poold *p;

	flow_check(poold_open(&p, path), NULL, "open");
	flow_check(poold_submit(p, "bench/noop", flow_input(), &o, &f), p, "submit");
	flow_check(poold_future_wait_id(f, POOLD_FOREVER), p, "submit");
	fds = open_all(path, n, poold_future_get_id(f));
	epoll = epoll_of(fds, n);
	from_ns = sample_now_ns();
	flow_check(poold_future_cancel(f, POOLD_CANCEL_QUEUED, NULL), p, "cancel");
	flow_check(poold_flush(p, POOLD_FOREVER), p, "flush");
	take_all(epoll, n);
	print_each(from_ns, n);
	flow_check(poold_future_release(f), p, "release");
	flow_check(poold_flush(p, POOLD_FOREVER), p, "flush");
	poold_future_unref(f);
	close_all(fds, n);
	poold_unref(p);
}

/* Accepts n, and writes to each once it is told to. */
static void write_to_all(int listener, int start, unsigned n)
{
	int *fds = calloc(n, sizeof(*fds));
	char m[32] = {0};

	for (unsigned i = 0; i < n; i++)
		if ((fds[i] = accept(listener, NULL, NULL)) < 0)
			_exit(1);
	if (read(start, m, 1) != 1)
		_exit(1);
	for (unsigned i = 0; i < n; i++)
		if (write(fds[i], m, sizeof(m)) != sizeof(m))
			_exit(1);
	_exit(0);
}

static void fan_out_floor(unsigned n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(a);
	int *fds = calloc(n, sizeof(*fds)), start[2], epoll;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t from_ns;
	pid_t pid;

	/* The kernel finds a name. */
	if (bind(listener, (void *)&a, sizeof(a.sun_family)) < 0 || listen(listener, 4096) < 0 ||
		getsockname(listener, (void *)&a, &len) < 0 || pipe(start) < 0)
		die("listen");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_to_all(listener, start[0], n);
	}
	for (unsigned i = 0; i < n; i++)
		fds[i] = connect_to(&a, len);
	epoll = epoll_of(fds, n);
	from_ns = sample_now_ns();
	if (write(start[1], "", 1) != 1)
		die("start");
	take_all(epoll, n);
	print_each(from_ns, n);
	waitpid(pid, NULL, 0);
	close_all(fds, n);
}

static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		die("getrlimit");
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		die("setrlimit");
}

int main(int argc, char **argv)
{
	const char *mode = argc == 4 ? argv[2] : "";
	unsigned n = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	raise_limit();
	if (n && strcmp(mode, "idle") == 0)
		idle(argv[1], n);
	else if (n && strcmp(mode, "fanout") == 0 && strcmp(argv[1], "floor") == 0)
		fan_out_floor(n);
	else if (n && strcmp(mode, "fanout") == 0)
		fan_out(argv[1], n);
	else {
		fputs("usage: connections SOCKET idle N | connections SOCKET|floor fanout N\n",
			stderr);
		return 2;
	}
	return 0;
}
