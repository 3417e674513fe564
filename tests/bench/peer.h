/* Other job servers, as their clients and workers speak to them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

#define PEER_JOB_BYTES	  64
#define PEER_RESULT_BYTES 8

enum peer_role {
	PEER_WORKER,
	PEER_SENDER,   /* submits jobs; gets their results, too, where ask is NULL */
	PEER_RECEIVER, /* gets results */
};

/* One connection. */
struct peer {
	const struct peer_protocol *protocol;
	enum peer_role role;
	int fd;
	struct buf in, out;
	unsigned n_done; /* results that came */
};

struct peer_protocol {
	const char *name;
	void (*begin)(struct peer *p);	/* what a connection says first */
	void (*submit)(struct peer *p); /* one job */
	void (*ask)(struct peer *p);	/* for one result */
	/* The message in front: its length, 0 while it is not whole. A worker does the job and
	 * asks for the next. */
	size_t (*take)(struct peer *p, const char *at, size_t n);
};

extern const struct peer_protocol peer_gearman, peer_beanstalk, peer_redis;

void peer_bytes(struct peer *p, const void *bytes, size_t n);
void peer_say(struct peer *p, const char *text);
/* So many times the letter x: what jobs and results are made of. */
void peer_payload(struct peer *p, size_t n);
/* Length of the line in front with its CR LF; 0 while it is not whole. */
size_t peer_line(const char *at, size_t n);
/* The server said what it should not. */
_Noreturn void peer_refuse(const struct peer *p, const char *at, size_t n);
