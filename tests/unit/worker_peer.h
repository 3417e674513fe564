/* A test in the daemon's place: starts a real poold-worker, speaks the worker protocol with it, and
 * looks at what comes back. Whatever goes wrong fails the test. Nothing waits for a time: each wait
 * is for a message or an end, and a test that waits in vain is ended by its runner.
 *
 * What is sent is a format, and what is received is compared as text, both as literal.h says. */
#pragma once

#include <check.h>
#include <sys/types.h>

#include "proto/buf.h"
#include "proto/fdpass.h"
#include "proto/rpc.h"
#include "tests/unit/literal.h"

struct peer {
	pid_t pid;
	int fd;
	int output; /* what it writes to stdout and stderr; -1: the test's own */
	struct buf out;
	uint8_t *packet;
	size_t len, pos;
	struct fdqueue fds;
};

/* A message; freed by peer_forget(). */
struct reply {
	enum rpc_type type;
	uint32_t msgid;
	char *word;	/* method, or code of the error; "" for a good answer */
	char *message;	/* of the error */
	char *value;	/* params, result, or data of the error, as text */
	char *meas;	/* of an answer to run, as text */
	uint64_t index; /* of the element that failed, with `each` */
	char *results;	/* of those before it, as text */
	int fds[PROTO_PACKET_FDS];
	unsigned n_fds;
};

/* Starts poold-worker; nothing is sent yet. The test becomes a subreaper. */
void peer_start(struct peer *z);
/* peer_start() and setup with handler exec, or with a module of this name from the build tree. */
void peer_start_exec(struct peer *z);
void peer_start_module(struct peer *z, const char *name);
/* Asks for a worker and waits until it is ready. */
void peer_fork(struct peer *z, struct peer *w);
/* Closes the link and waits for the end: exit code 0. */
void peer_end(struct peer *p);
/* Waits for the end that the process comes to by itself. Returns the status as wait() gives it. */
int peer_await_end(struct peer *p);
/* The path of a module in the build tree: the caller frees it. */
char *peer_module_path(const char *name);

/* Messages are collected, then sent as one packet. */
void peer_add(struct peer *p, const char *format, ...);
void peer_send(struct peer *p, const int *fds, unsigned n_fds);
/* Waits for the next message. */
struct reply peer_receive(struct peer *p);
/* Nothing more but the end of file. */
void peer_expect_end_of_file(struct peer *p);
void peer_forget(struct reply *r);
/* Sends the notification `cancel` and rings the bell. */
void peer_cancel(struct peer *w, uint64_t id);
/* A sealed memfd with these bytes. */
int peer_memfd(const void *bytes, size_t n);

/* One run with id 7 and nothing else in meta; the input as a format. */
#define peer_run(w, function, format, ...)                                                         \
	({                                                                                         \
		peer_add(w, "[iis[s" format "{si}]]", 0, 5, "run", function, ##__VA_ARGS__, "id",  \
			7);                                                                        \
		peer_send(w, NULL, 0);                                                             \
		peer_receive(w);                                                                   \
	})

/* Receives an answer: good, of that msgid, with that value as text. */
#define peer_expect_value(p, id, text)                                                             \
	do {                                                                                       \
		struct reply r_ = peer_receive(p);                                                 \
		ck_assert_int_eq(r_.type, RPC_ANSWER);                                             \
		ck_assert_str_eq(r_.word, "");                                                     \
		ck_assert_uint_eq(r_.msgid, id);                                                   \
		ck_assert_str_eq(r_.value, text);                                                  \
		peer_forget(&r_);                                                                  \
	} while (0)

/* Receives an answer: an error with that code. */
#define peer_expect_error(p, id, code)                                                             \
	do {                                                                                       \
		struct reply r_ = peer_receive(p);                                                 \
		ck_assert_int_eq(r_.type, RPC_ANSWER);                                             \
		ck_assert_str_eq(r_.word, code);                                                   \
		ck_assert_uint_eq(r_.msgid, id);                                                   \
		peer_forget(&r_);                                                                  \
	} while (0)
