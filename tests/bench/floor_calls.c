/* What a switch has to do at least: messages of many clients go to two workers, and back to who
 * sent them. */
#include "tests/bench/floor.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/callers.h"

#define EVENTS 64

/* A worker answers in turn: whose messages it has. */
struct link {
	int fd;
	unsigned *clients;
	unsigned head, tail;
};

struct exchange {
	unsigned n_clients;
	int (*pairs)[2];
	struct link links[FLOOR_WORKERS];
};

static void move(int from, int to)
{
	char m[FLOOR_BYTES];

	if (read(from, m, sizeof(m)) != sizeof(m))
		_exit(0);
	if (write(to, m, sizeof(m)) != sizeof(m))
		floor_die("write");
}

static void add(int epoll, int fd, unsigned number)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = number};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		floor_die("epoll_ctl");
}

static void from_client(struct exchange *x, unsigned client)
{
	struct link *a = &x->links[0], *b = &x->links[1];
	struct link *l = a->tail - a->head <= b->tail - b->head ? a : b;

	l->clients[l->tail++ % x->n_clients] = client;
	move(x->pairs[client][1], l->fd);
}

static void from_worker(struct exchange *x, struct link *l)
{
	move(l->fd, x->pairs[l->clients[l->head++ % x->n_clients]][1]);
}

static void forward(struct exchange *x)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < x->n_clients; i++)
		add(epoll, x->pairs[i][1], i);
	for (unsigned w = 0; w < FLOOR_WORKERS; w++) {
		x->links[w].clients = calloc(x->n_clients, sizeof(unsigned));
		add(epoll, x->links[w].fd, x->n_clients + w);
	}
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			unsigned number = events[i].data.u32;

			if (number < x->n_clients)
				from_client(x, number);
			else
				from_worker(x, &x->links[number - x->n_clients]);
		}
	}
}

static void *open_pair(unsigned i, void *userdata)
{
	struct exchange *x = userdata;

	return &x->pairs[i][0];
}

static void call(void *fd)
{
	char m[FLOOR_BYTES] = {0};

	if (write(*(int *)fd, m, sizeof(m)) != sizeof(m) ||
		read(*(int *)fd, m, sizeof(m)) != sizeof(m))
		floor_die("client");
}

void floor_calls(unsigned n, unsigned n_clients)
{
	struct exchange x = {.n_clients = n_clients, .pairs = calloc(n_clients, sizeof(*x.pairs))};
	struct callers c = {.open = open_pair, .call = call, .userdata = &x};
	pid_t pids[FLOOR_WORKERS + 1];

	for (unsigned i = 0; i < n_clients; i++)
		floor_pair(SOCK_STREAM, x.pairs[i]);
	for (unsigned w = 0; w < FLOOR_WORKERS; w++) {
		int fds[2];

		floor_pair(SOCK_SEQPACKET, fds);
		x.links[w].fd = fds[0];
		pids[w] = floor_child();
		if (pids[w] == 0)
			for (;;)
				move(fds[1], fds[1]);
		close(fds[1]);
	}
	pids[FLOOR_WORKERS] = floor_child();
	if (pids[FLOOR_WORKERS] == 0)
		forward(&x);
	callers_run(&c, n_clients, n);
	floor_stop(pids, FLOOR_WORKERS + 1);
	free(x.pairs);
}
