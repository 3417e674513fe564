/* No-op jobs of 64 bytes through other job servers: beside client.c.
 *
 *	peer PROTOCOL ADDRESS worker		until it is killed
 *	peer PROTOCOL ADDRESS latency N		one job at a time: p50 and p99 in µs
 *	peer PROTOCOL ADDRESS futures N		at most 4096 unfinished: per second
 *
 * PROTOCOL: gearman, beanstalk, redis. ADDRESS: a socket's path, or a port of this host. Everything
 * is sent ahead as far as the server allows: a worker sends its result and asks for the next job in
 * one message; where asking for a result blocks a connection, results have one of their own.
 */
#include "tests/bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/sample.h"
#include "tests/bench/stream.h"

#define WINDOW	   4096
#define ASKED	   256 /* results that are asked for ahead */
#define BUF_MAX	   (64u << 20)
#define PATIENCE_S 20

/* ---- messages ---- */

void peer_bytes(struct peer *p, const void *bytes, size_t n)
{
	if (buf_append(&p->out, bytes, n) < 0)
		abort();
}

void peer_say(struct peer *p, const char *text)
{
	peer_bytes(p, text, strlen(text));
}

void peer_payload(struct peer *p, size_t n)
{
	static const char x[PEER_JOB_BYTES] =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

	peer_bytes(p, x, n);
}

size_t peer_line(const char *at, size_t n)
{
	const char *end = memchr(at, '\n', n);

	return end ? (size_t)(end - at) + 1 : 0;
}

void peer_refuse(const struct peer *p, const char *at, size_t n)
{
	fprintf(stderr, "%s said: %.*s\n", p->protocol->name, (int)n, at);
	exit(1);
}

/* ---- connections ---- */

static int connect_once(const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(address, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	bool is_path = strchr(address, '/');
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, r;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", address);
	r = is_path ? connect(fd, (void *)&un, sizeof(un)) : connect(fd, (void *)&in, sizeof(in));
	if (r < 0) {
		close(fd);
		return -1;
	}
	if (!is_path)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* The server is being started by whoever started this, and does not say when it listens. */
static struct peer peer_open(
	const struct peer_protocol *protocol, const char *address, enum peer_role role)
{
	uint64_t until_ns = sample_now_ns() + PATIENCE_S * 1000000000ull;
	struct peer p = {.protocol = protocol,
		.role = role,
		.in = BUF_INIT(BUF_MAX),
		.out = BUF_INIT(BUF_MAX)};

	while ((p.fd = connect_once(address)) < 0) {
		if (sample_now_ns() > until_ns) {
			perror(address);
			exit(1);
		}
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	protocol->begin(&p);
	return p;
}

static void peer_close(struct peer *p)
{
	close(p->fd);
	buf_deinit(&p->in);
	buf_deinit(&p->out);
}

static void receive(struct peer *p)
{
	ssize_t r = stream_read(p->fd, &p->in, MSG_DONTWAIT);
	size_t n;

	if (r == 0 || (r < 0 && errno != EAGAIN)) {
		fprintf(stderr, "%s has gone away\n", p->protocol->name);
		exit(1);
	}
	while (buf_used(&p->in)) {
		n = p->protocol->take(p, (const char *)buf_head(&p->in), buf_used(&p->in));
		if (!n)
			break;
		buf_consume(&p->in, n);
	}
}

/* Sends what there is, waits, takes what came. */
static void turn(struct peer **peers, unsigned n)
{
	struct pollfd fds[2];

	for (unsigned i = 0; i < n; i++) {
		stream_write(peers[i]->fd, &peers[i]->out);
		fds[i] = (struct pollfd){.fd = peers[i]->fd,
			.events = buf_used(&peers[i]->out) ? POLLIN | POLLOUT : POLLIN};
	}
	if (poll(fds, n, PATIENCE_S * 1000) == 0) {
		fprintf(stderr, "%s does not answer\n", peers[0]->protocol->name);
		exit(1);
	}
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			receive(peers[i]);
}

/* ---- roles ---- */

static void worker(const struct peer_protocol *protocol, const char *address)
{
	struct peer p = peer_open(protocol, address, PEER_WORKER);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct pollfd fd = {.fd = p.fd, .events = POLLIN};

		stream_write(p.fd, &p.out);
		poll(&fd, 1, -1);
		receive(&p);
	}
}

/* Who submits, and who gets results: two connections, or one twice. */
struct pair {
	struct peer sender, receiver;
	struct peer *peers[2];
	unsigned n_peers;
	struct peer *results;
	unsigned n_sent, n_asked;
};

static void pair_open(struct pair *c, const struct peer_protocol *protocol, const char *address)
{
	*c = (struct pair){.sender = peer_open(protocol, address, PEER_SENDER)};
	c->peers[c->n_peers++] = &c->sender;
	c->results = &c->sender;
	if (!protocol->ask)
		return;
	c->receiver = peer_open(protocol, address, PEER_RECEIVER);
	c->peers[c->n_peers++] = &c->receiver;
	c->results = &c->receiver;
}

static void pair_close(struct pair *c)
{
	for (unsigned i = 0; i < c->n_peers; i++)
		peer_close(c->peers[i]);
}

static void pump(struct pair *c, unsigned n, unsigned window)
{
	const struct peer_protocol *protocol = c->sender.protocol;
	unsigned n_done = c->results->n_done;

	for (; protocol->ask && c->n_asked < n && c->n_asked - n_done < ASKED; c->n_asked++)
		protocol->ask(c->results);
	for (; c->n_sent < n && c->n_sent - n_done < window; c->n_sent++)
		protocol->submit(&c->sender);
	turn(c->peers, c->n_peers);
}

static void latency(struct pair *c, unsigned n)
{
	struct sample s = sample_new(n);

	for (unsigned i = 1; i <= n; i++) {
		uint64_t from_ns = sample_now_ns();

		while (c->results->n_done < i)
			pump(c, i, 1);
		sample_add(&s, sample_now_ns() - from_ns);
	}
	sample_print(&s);
}

static void futures(struct pair *c, unsigned n)
{
	uint64_t from_ns;

	/* The workers are there. */
	while (c->results->n_done < 100)
		pump(c, 100, 1);
	from_ns = sample_now_ns();
	while (c->results->n_done < 100 + n)
		pump(c, 100 + n, WINDOW);
	printf("{\"per_second\": %.0f}\n", n / ((double)(sample_now_ns() - from_ns) / 1e9));
}

static const struct peer_protocol *find(const char *name)
{
	static const struct peer_protocol *const all[] = {
		&peer_gearman, &peer_beanstalk, &peer_redis};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct peer_protocol *protocol = argc > 3 ? find(argv[1]) : NULL;
	unsigned n = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	struct pair c;

	if (protocol && argc == 4 && strcmp(argv[3], "worker") == 0)
		worker(protocol, argv[2]);
	if (!protocol || argc != 5 || !n ||
		(strcmp(argv[3], "latency") != 0 && strcmp(argv[3], "futures") != 0)) {
		fputs("usage: peer gearman|beanstalk|redis ADDRESS worker | latency N | futures "
		      "N\n",
			stderr);
		return 2;
	}
	pair_open(&c, protocol, argv[2]);
	if (strcmp(argv[3], "latency") == 0)
		latency(&c, n);
	else
		futures(&c, n);
	pair_close(&c);
	return 0;
}
