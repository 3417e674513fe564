/* What one client sent and nobody handled yet: bytes, and fds in the order in which they came. */
#pragma once

#include <stdbool.h>

#include "daemon/core/account.h"
#include "proto/base.h"
#include "proto/buf.h"
#include "proto/fdpass.h"
#include "proto/limits.h"
#include "proto/scan.h"

struct inbox {
	struct account *account; /* whose bytes these are */
	struct buf kept;	 /* the rest of a message that is not complete, or was held back */
	size_t charged;
	unsigned charged_fds; /* of the message that is not complete */
	size_t n_shared; /* bytes of the shared buffer that are ours, between receive and settle */
	size_t done;	 /* of what lies here, handled */
	struct scan scan;
	struct fdqueue fds;
	bool was_all; /* the last receive left nothing in the socket, but perhaps its end */
};

/* A complete message, scanned. */
struct inbox_message {
	const uint8_t *bytes;
	const struct scan *scan;
	int fds[PROTO_MESSAGE_FDS]; /* the caller's */
	unsigned n_fds;
};

/* Why nothing more can be taken from this client. */
struct inbox_fault {
	const char *code;
	char message[160];
};

enum {
	INBOX_E_FAULT = 1, /* *ret_fault tells; the connection is over */
	INBOX_END = 2,	   /* of inbox_receive(): the peer sends no more */
	INBOX_MORE = 3,	   /* of inbox_next(): there is no complete message */
};

void inbox_init(struct inbox *i, struct account *account);
/* Not while a message is handled: its bytes lie here. */
void inbox_deinit(struct inbox *i);

/* Reads once; inbox_settle() must follow before another inbox is read. 0, INBOX_END, INBOX_E_FAULT,
 * -EAGAIN, -errno. */
must_check int inbox_receive(struct inbox *i, int sock, struct inbox_fault *ret_fault);
/* 0 with the next message, which stays until inbox_pop(); INBOX_MORE, INBOX_E_FAULT. */
must_check int inbox_next(
	struct inbox *i, struct inbox_message *ret, struct inbox_fault *ret_fault);
void inbox_pop(struct inbox *i);
/* Keeps what was not popped. 0, INBOX_E_FAULT. */
must_check int inbox_settle(struct inbox *i, struct inbox_fault *ret_fault);
