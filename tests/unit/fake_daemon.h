/* A test in the daemon's place, on the client's side: it listens on a socket in a folder of its
 * own, reads what libpoold sends and answers what the test wants, in the same thread. So there is
 * no waiting: each side's bytes lie in the socket before the other one looks. Whatever goes wrong
 * in here fails the test.
 *
 * Messages are written as formats, and read as texts, as tests/unit/literal.h says. */
#pragma once

#include "client/poold.h"
#include "tests/lib/folder.h"
#include "tests/unit/suite.h"
#include "tests/unit/worker_peer.h"

struct fake_daemon {
	struct folder folder;
	int listener;
	int fd; /* the connection; -1: none */
	struct buf in;
	struct fdqueue fds;
};

/* A message from the client; freed by request_forget(). */
struct request {
	enum rpc_type type;
	uint32_t msgid;
	char *method;
	char *params; /* as text */
	int fds[PROTO_MESSAGE_FDS];
	unsigned n_fds;
};

void fake_daemon_start(struct fake_daemon *d);
void fake_daemon_stop(struct fake_daemon *d);
const char *fake_daemon_path(const struct fake_daemon *d);
/* Takes the connection that the client has made. */
void fake_daemon_accept(struct fake_daemon *d);
/* The daemon's end goes. */
void fake_daemon_hang_up(struct fake_daemon *d);

/* A client connected to a daemon that has answered its hello, which was request 1. */
poold *fake_daemon_connect(struct fake_daemon *d);

/* One message, or half of one: the bytes as they are. */
void fake_daemon_write(
	struct fake_daemon *d, const void *bytes, size_t n, const int *fds, unsigned n_fds);
void fake_daemon_say(struct fake_daemon *d, const char *format, ...);
/* With fds, which are closed here. */
void fake_daemon_say_fds(
	struct fake_daemon *d, const int *fds, unsigned n_fds, const char *format, ...);

/* The next message that the client has sent; none of it may be missing. */
struct request fake_daemon_read(struct fake_daemon *d);
void request_forget(struct request *r);
/* The client has sent nothing more. */
void fake_daemon_expect_silence(struct fake_daemon *d);
/* Reads a request or notification, looks at it, and gives its msgid. */
uint32_t fake_daemon_expect(struct fake_daemon *d, const char *method, const char *params);

/* Lets the client run until it has nothing to do. What the last poold_process() returned. */
int client_run(poold *p);
