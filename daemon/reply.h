/* Answers and notifications to a client: built in one buffer, put into its outbox. */
#pragma once

#include "daemon/conn.h"
#include "daemon/core/core.h"
#include "proto/buf.h"
#include "proto/outcome.h"

struct request;

/* To whom, and as an answer to what. */
struct reply_to {
	struct conn *conn;
	bool is_wanted; /* false: the request was a notification, nothing is written */
	uint32_t msgid;
};

struct reply_to reply_to_request(const struct request *r);

/* [1, msgid, nil, …]: pack one value, then reply_end(). The packer is the same for all: one at a
 * time. */
struct bufpack *reply_begin(struct reply_to to);
/* [2, method, …]: pack one array. */
struct bufpack *reply_begin_notification(struct conn *c, const char *method);
/* What was packed goes to the outbox. If its owner's quota does not hold it, the connection is
 * over. */
void reply_end(void);
/* In place of a pack: the value of a future (or nil), in the way this client takes it (fds, or
 * inline). At most one an answer. */
void reply_value(struct future *f);

/* The same of its failure, [code, message, details]: the details with fds and all. At most one an
 * answer, and no value beside it. */
void reply_failure(struct future *f);

void reply_true(struct reply_to to);
/* [code, message, {}] */
void reply_error(struct reply_to to, const char *code, const char *message);
/* [code, message, details]: pack one map, then reply_end_error(). */
struct bufpack *reply_begin_error(struct reply_to to, const char *code, const char *message);
void reply_end_error(void);
void reply_refusal(struct reply_to to, const struct refusal *why);

/* too_large, with what it would take inline. */
void reply_too_large_error(struct reply_to to, uint64_t size);
/* Of a future that is final: its result, or its failure as an error. */
void reply_outcome(struct reply_to to, struct future *f);
/* The notification `final`. */
void reply_final(struct conn *c, struct future *f);
/* The same for an ID that is not there. */
void reply_final_unknown(struct conn *c, uint64_t id, enum outcome_code code);

/* ---- pieces ---- */

/* [code, message, {}] of an ID that is not there. */
void reply_unknown(struct bufpack *p, enum outcome_code code);
/* {queued, handover, run, return} */
void reply_pack_timing(struct bufpack *p, const struct future *f, uint64_t now_us);
/* Can this client get the payload at all? 0, or the bytes that it would take inline (over
 * message_bytes). */
uint64_t reply_too_large(const struct conn *c, const struct payload *p);
