/* Which futures were forgotten by time or quota, so that their owner is told `expired`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TOMBSTONES_ALL 100000u
#define TOMBSTONES_UID 10000u

struct tombstones;

/* One fixed block; belongs to the daemon, not to an account. NULL: out of memory. */
struct tombstones *tombstones_new(void);
struct tombstones *tombstones_free(struct tombstones *t);
/* The oldest one makes room: of this uid if it has TOMBSTONES_UID, else of all. */
void tombstones_add(struct tombstones *t, uint64_t id, uint32_t uid);
bool tombstones_find(const struct tombstones *t, uint64_t id, uint32_t *ret_uid);
