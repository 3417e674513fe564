/* A ring of stones by age, with a chain by hash of the ID and a chain by age within each uid.
 *
 * A stone that went early (its uid had too many) leaves a hole (id 0) in the ring, filled when its
 * turn comes. Whoever is removed is always the oldest of its uid, also when the ring overtakes it,
 * so the chain within a uid only ever loses its head.
 */
#include "daemon/core/tombstone.h"

#include <stdlib.h>

#include "daemon/core/uidhash.h"

#define BUCKETS (1u << 17)
#define NONE	UINT32_MAX

struct stone {
	uint64_t id; /* 0: hole */
	uint32_t uid;
	uint32_t next_in_bucket;
	uint32_t next_of_uid; /* the next younger one */
};

struct tombstone_uid {
	uint32_t uid;
	uint32_t n;
	uint32_t oldest;
	uint32_t youngest;
	UT_hash_handle hh;
};

struct tombstones {
	uint32_t next; /* where the next stone goes */
	struct tombstone_uid *by_uid;
	uint32_t buckets[BUCKETS];
	struct stone stones[TOMBSTONES_ALL];
};

struct tombstones *tombstones_new(void)
{
	struct tombstones *t;

	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	for (uint32_t i = 0; i < BUCKETS; i++)
		t->buckets[i] = NONE;
	return t;
}

struct tombstones *tombstones_free(struct tombstones *t)
{
	struct tombstone_uid *u, *tmp;

	if (!t)
		return NULL;
	HASH_ITER (hh, t->by_uid, u, tmp) {
		HASH_DEL(t->by_uid, u);
		free(u);
	}
	free(t);
	return NULL;
}

static struct tombstone_uid *find_uid(struct tombstones *t, uint32_t uid)
{
	struct tombstone_uid *u;

	HASH_FIND(hh, t->by_uid, &uid, sizeof(uid), u);
	return u;
}

static void remove_oldest(struct tombstones *t, struct tombstone_uid *u)
{
	uint32_t i = u->oldest;
	uint32_t *link = &t->buckets[t->stones[i].id % BUCKETS];

	while (*link != i)
		link = &t->stones[*link].next_in_bucket;
	*link = t->stones[i].next_in_bucket;
	t->stones[i].id = 0;
	u->oldest = t->stones[i].next_of_uid;
	if (--u->n == 0) {
		HASH_DEL(t->by_uid, u);
		free(u);
	}
}

void tombstones_add(struct tombstones *t, uint64_t id, uint32_t uid)
{
	struct stone *s = &t->stones[t->next];
	uint32_t *bucket = &t->buckets[id % BUCKETS];
	struct tombstone_uid *u;

	if (s->id)
		remove_oldest(t, find_uid(t, s->uid));
	u = find_uid(t, uid);
	if (u && u->n >= TOMBSTONES_UID)
		remove_oldest(t, u);
	if (!u) {
		u = calloc(1, sizeof(*u));
		if (!u)
			return; /* the answer will be `unknown_future`: less said, nothing wrong */
		u->uid = uid;
		HASH_ADD(hh, t->by_uid, uid, sizeof(u->uid), u);
		if (!u->hh.tbl) {
			free(u);
			return;
		}
	}
	*s = (struct stone){.id = id, .uid = uid, .next_in_bucket = *bucket};
	*bucket = t->next;
	if (u->n++ == 0)
		u->oldest = t->next;
	else
		t->stones[u->youngest].next_of_uid = t->next;
	u->youngest = t->next;
	t->next = (t->next + 1) % TOMBSTONES_ALL;
}

bool tombstones_find(const struct tombstones *t, uint64_t id, uint32_t *ret_uid)
{
	for (uint32_t i = t->buckets[id % BUCKETS]; i != NONE; i = t->stones[i].next_in_bucket)
		if (t->stones[i].id == id) {
			*ret_uid = t->stones[i].uid;
			return true;
		}
	return false;
}
