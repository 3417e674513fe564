/* Where the bytes of a value lie: in the packet, in shared memory, with another future. */
#pragma once

#include "daemon/worker/job.h"

/* Reads the map `values`, or what stands for it. */
must_check bool values_parse(struct poold_job *job, struct cursor *c);
/* The value at c: itself, or what its ext 2 or 3 stands for. 0, -ENOENT, -EBADMSG: it cannot be
 * read, those of mapping. */
must_check int values_resolve(struct poold_job *job, struct cursor c, struct cursor *ret);
/* Gives back what this run alone had. */
void values_drop(struct poold_job *job);
/* The fd of an index, for the caller to keep: then the run has it no more, unless others have it
 * too. -ENOENT, -errno. */
must_check int values_take_fd(struct poold_job *job, unsigned index);

/* The fd that the ext 1 at c names, which is the job's, or -EINVAL, -ENOENT. */
must_check int values_named_fd(const struct poold_job *job, struct cursor c);
/* Whoever is to have the input's own fds has them: closes those that are left here. */
void values_close_fds(struct poold_job *job);

/* The byte string that the value at c stands for. 0, -EINVAL if it is none, as poold_job_bytes().
 */
must_check int values_bytes(
	struct poold_job *job, struct cursor c, const void **ret, size_t *ret_len);
/* A file descriptor that reads that byte string, or the stdout in the result of a command, from its
 * beginning; the caller owns it. As values_bytes(); -EBADF if it is no sealed memfd. */
must_check int values_open_bytes(struct poold_job *job, struct cursor c);
