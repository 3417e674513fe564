/* A message is written straight behind the output. Until it is committed it can be dropped,
 * whatever failed, and the output is as it was. Its fds are the draft's; with the commit they
 * become a mark: sent with the message's first byte, then closed. */
#include <errno.h>
#include <fcntl.h>

#include "client/client_internal.h"

int cl_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

int cl_draft_full(poold *p)
{
	return cl_fail(p, -EAGAIN, "%zu bytes wait to be sent, the cap is %zu", buf_used(&p->out),
		p->out_max);
}

int cl_draft_begin(struct cl_draft *d, poold *p)
{
	int r = cl_draft_check(p);

	if (r == 0)
		cl_draft_begin_small(d, p);
	return r;
}

size_t cl_draft_len(const struct cl_draft *d)
{
	return buf_used(&d->p->out) - d->start;
}

void cl_draft_abort(struct cl_draft *d)
{
	buf_truncate(&d->p->out, d->start);
	while (d->n_fds > 0)
		fd_close(d->fds[--d->n_fds]);
}

int cl_draft_check_fd(const struct cl_draft *d)
{
	if (d->n_fds == PROTO_MESSAGE_FDS)
		return -E2BIG;
	return d->p->n_marks == CL_MARKS_MAX ? -EAGAIN : 0;
}

int cl_draft_take_fd(struct cl_draft *d, int fd)
{
	int r = cl_draft_check_fd(d);

	if (r == 0)
		d->fds[d->n_fds++] = fd;
	return r;
}

int cl_draft_add_fd(struct cl_draft *d, int fd)
{
	uint8_t index = (uint8_t)d->n_fds;
	int r = cl_draft_take_fd(d, fd);

	if (r == 0)
		bufpack_ext_fd(&d->pk, index);
	return r;
}

static int check_complete(const struct cl_draft *d)
{
	int r = bufpack_error(&d->pk);

	if (r < 0)
		return cl_fail(d->p, r, "no memory for a message");
	if (cl_draft_len(d) > d->p->max_message)
		return cl_fail(d->p, -EMSGSIZE, "the message has over %zu bytes, %zu are allowed",
			cl_draft_len(d) - 1, d->p->max_message);
	return 0;
}

int cl_draft_commit(struct cl_draft *d)
{
	poold *p = d->p;
	int r = check_complete(d);

	if (r < 0) {
		cl_draft_abort(d);
		return r;
	}
	if (d->n_fds > 0) {
		struct cl_mark *mark = &p->marks[(p->first_mark + p->n_marks++) % CL_MARKS_MAX];

		mark->at = p->out_at + d->start;
		mark->n_fds = d->n_fds;
		for (unsigned i = 0; i < d->n_fds; i++)
			mark->fds[i] = d->fds[i];
	}
	cl_io_send_much(p);
	return 0;
}
