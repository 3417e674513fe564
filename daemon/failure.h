/* Why a future is not `done`, as the wire tells it: [code, message, details]. */
#pragma once

#include "daemon/core/future.h"
#include "proto/buf.h"
#include "proto/cursor.h"
#include "proto/outcome.h"

/* Of a future that is final and not done. */
enum outcome_code failure_code(const struct future *f);
/* The sentence: names the value and the limit. Cut to size. */
void failure_describe(const struct future *f, char *text, size_t size);
/* The array's head with code and message; the details are to follow. */
void failure_pack_head(struct bufpack *p, const struct future *f);
/* The details that follow from its fields. */
void failure_pack_details(struct bufpack *p, const struct future *f);
/* The value of a key in a map of details; false if there is none. */
bool failure_find_detail(const struct payload *p, const char *key, struct cursor *ret);
/* The whole, without fds: details that carry some are left out. */
void failure_pack(struct bufpack *p, const struct future *f);
