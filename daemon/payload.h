/* A value on its way: its MessagePack encoding, and the memfds that stand in it as ext 1. Owned
 * by its future, which the connections that still send it pin. The daemon never maps a memfd.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "daemon/core/future.h"
#include "proto/base.h"
#include "proto/limits.h"

/* What most values have not. */
struct payload_memfds {
	uint64_t bytes;	   /* sum of the sizes */
	uint64_t expanded; /* payload_expanded_bytes() */
	uint64_t size[PROTO_RESULT_FDS];
	int fds[PROTO_RESULT_FDS]; /* what ext 1 index i of the encoding stands for */
	uint64_t lent_to;	   /* workers that may keep it: lending.c */
	uint64_t lent_as;	   /* as the value of that future */
};

struct payload {
	uint32_t len; /* bytes of the encoding */
	uint8_t n_fds : 7;
	bool has_memfds : 1; /* a pointer to them lies behind the bytes: payload_memfds() */
	uint8_t own; /* bit per index: no value, but a file of the client's own; -1 once closed */
	uint8_t bytes[]; /* the encoding, or the number of the fd that it spilled into */
};

/* The encoding lies in a sealed memfd. */
static inline bool payload_is_spilled(const struct payload *p)
{
	return p->len > PROTO_INLINE_BYTES;
}

/* That memfd; -1: there is none. */
static inline int payload_spill_fd(const struct payload *p)
{
	int fd = -1;

	if (payload_is_spilled(p))
		memcpy(&fd, p->bytes, sizeof(fd));
	return fd;
}

/* So many bytes lie here. */
static inline size_t payload_kept_len(const struct payload *p)
{
	return payload_is_spilled(p) ? sizeof(int) : p->len;
}

/* n_fds of them; NULL: none. */
static inline struct payload_memfds *payload_memfds(const struct payload *p)
{
	struct payload_memfds *memfds = NULL;

	if (p->has_memfds)
		memcpy(&memfds, p->bytes + payload_kept_len(p), sizeof(memfds));
	return memfds;
}

/* What a payload counts for beside its value; at most. */
static inline size_t payload_own_bytes(unsigned n_fds)
{
	return sizeof(struct payload) +
	       (n_fds ? sizeof(struct payload_memfds *) + sizeof(struct payload_memfds) : 0);
}
#define PAYLOAD_OWN_BYTES_MAX                                                                      \
	(sizeof(struct payload) + sizeof(struct payload_memfds *) + sizeof(struct payload_memfds))

static inline uint64_t payload_memfd_bytes(const struct payload *p)
{
	return p->has_memfds ? payload_memfds(p)->bytes : 0;
}

/* Of the encoding with each ext 1 as bin 32; UINT64_MAX: one of them is too large for that. */
static inline uint64_t payload_expanded_bytes(const struct payload *p)
{
	return p->has_memfds ? payload_memfds(p)->expanded : p->len;
}

enum {
	PAYLOAD_E_FD = 1, /* an fd is no sealed memfd: *ret_reason says what is wrong */
};

/* A copy of the encoding (into a memfd above PROTO_INLINE_BYTES), which scan accepted. fds[n_fds]
 * are checked and consumed in any case. 0, PAYLOAD_E_FD with *ret_reason (static text), -ENOMEM,
 * -errno. */
must_check int payload_new(const uint8_t *encoding, size_t len, const int *fds, unsigned n_fds,
	struct payload **ret, const char **ret_reason);
/* The same for the input of a command: an fd that is for standard input, output or error (roles[i],
 * stdio.h) may be a file of the client's own. Such a one has no size, and nothing reads it here. */
must_check int payload_new_command(const uint8_t *encoding, size_t len, const int *fds,
	unsigned n_fds, const uint8_t *roles, struct payload **ret, const char **ret_reason);
/* Whoever runs the command has the client's own files by now: closes them. */
void payload_close_own(struct payload *p);
/* Another of the same value: the bytes are copied, the memfds are shared. -ENOMEM, -errno. */
must_check int payload_copy(const struct payload *p, struct payload **ret);
/* Closes the fds. Takes NULL, returns NULL. */
struct payload *payload_free(struct payload *p);

/* Its bytes, where they lie, or loaded from the memfd: *ret_loaded is then to be freed (a spilled
 * value is at most a message). NULL: no memory. */
const uint8_t *payload_encoding(const struct payload *p, uint8_t **ret_loaded);
/* What it counts for: memory, sizes behind fds, and their number. */
uint64_t payload_charge_bytes(const struct payload *p);
uint16_t payload_charge_fds(const struct payload *p);
struct moved payload_moved(const struct payload *p);
/* The same before it is made, so that it can be charged first; what is no sealed memfd counts for
 * nothing, and will be refused or is a client's own file. */
must_check int payload_measure_fds(const int *fds, unsigned n_fds, uint64_t *bytes);
must_check static inline int payload_measure(
	size_t len, const int *fds, unsigned n_fds, uint64_t *ret_bytes, uint16_t *ret_fds)
{
	*ret_bytes = payload_own_bytes(n_fds) + len;
	*ret_fds = (uint16_t)(n_fds + (len > PROTO_INLINE_BYTES));
	return n_fds ? payload_measure_fds(fds, n_fds, ret_bytes) : 0;
}
