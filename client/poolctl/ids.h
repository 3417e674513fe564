/* Future IDs given as operands. */
#pragma once

#include <jansson.h>

#include "client/poolctl/ctl.h"
#include "proto/base.h"

struct ids {
	uint64_t *ids;
	size_t n;
};

/* In the order given. 0, or the exit code after saying that one is no ID, or that there are fewer
 * than least or more than most. */
must_check int ids_parse(
	struct ctl *ctl, int argc, char **argv, int least, int most, struct ids *ret);
void ids_deinit(struct ids *ids);
/* How many different ones. */
size_t ids_distinct(struct ids *ids);
/* Sends a request `[ID, param]` for each, consuming param. All are tried; the first failure decides
 * the exit code. */
must_check int ids_ask_each(
	struct ctl *ctl, const char *method, const struct ids *ids, json_t *param);
/* As a JSON array; NULL without memory. */
must_check json_t *ids_json(const struct ids *ids);
