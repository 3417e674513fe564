/* Bytes between a socket and a buffer. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/buf.h"

#define STREAM_CHUNK 65536

/* Behind what is there; as recv(). */
static inline ssize_t stream_read(int fd, struct buf *b, int flags)
{
	size_t room;
	uint8_t *at;
	ssize_t n;

	if (buf_reserve(b, STREAM_CHUNK) < 0)
		abort();
	at = buf_room(b, &room);
	n = recv(fd, at, room, flags);
	if (n > 0)
		buf_commit(b, (size_t)n);
	return n;
}

/* As much as goes without waiting. */
static inline void stream_write(int fd, struct buf *b)
{
	while (buf_used(b)) {
		ssize_t n = send(fd, buf_head(b), buf_used(b), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			return;
		buf_consume(b, (size_t)n);
	}
}
