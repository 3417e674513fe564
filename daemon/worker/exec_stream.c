#include "daemon/worker/exec_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "proto/shm.h"

/* What a pipe holds by default. */
#define READ_BYTES (64u * 1024u)
/* Each stream up to this travels inline. */
#define INLINE_BYTES 2048u

void exec_stream_init(struct exec_stream *s, const char *name)
{
	*s = (struct exec_stream){.name = name, .pipe = -1, .end = -1, .memfd = -1};
}

int exec_stream_open(struct exec_stream *s)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	s->pipe = ends[0];
	s->end = ends[1];
	return 0;
}

int exec_stream_open_own(struct exec_stream *s, int fd)
{
	s->end = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	s->is_own = true;
	return s->end < 0 ? -errno : 0;
}

void exec_stream_close_end(struct exec_stream *s)
{
	s->end = fd_close(s->end);
}

void exec_stream_close(struct exec_stream *s)
{
	exec_stream_close_end(s);
	s->pipe = fd_close(s->pipe);
	s->memfd = fd_close(s->memfd);
}

/* The daemon reads the memfd while it grows. */
static int tell(const struct exec_stream *s, struct poold_job *job)
{
	struct link *l = job->link;
	struct bufpack p;
	int fd, r;

	r = link_flush(l, 0);
	if (r < 0)
		return r;
	fd = fcntl(s->memfd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	bufpack_init(&p, &l->out);
	rpc_pack_notification(&p, "output");
	bufpack_array(&p, 3);
	bufpack_uint(&p, job->id);
	bufpack_text(&p, s->name);
	bufpack_ext_fd(&p, 0);
	link_attach(l, fd);
	r = bufpack_error(&p);
	return r < 0 ? r : link_flush(l, 0);
}

static int keep(struct exec_stream *s, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(s->memfd, bytes, n);

		if (written < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		bytes += written;
		n -= (size_t)written;
		s->len += (size_t)written;
	}
	return 0;
}

static int take(
	struct exec_stream *s, struct poold_job *job, const char *bytes, size_t n, size_t max)
{
	bool is_first = s->memfd < 0 && !s->is_truncated;
	int r;

	if (n > max) {
		s->is_truncated = true;
		n = max;
	}
	if (n == 0)
		return 0;
	if (is_first) {
		s->memfd = shm_new(s->name, 0);
		if (s->memfd < 0)
			return s->memfd;
	}
	r = keep(s, bytes, n);
	return r < 0 || !is_first ? r : tell(s, job);
}

int exec_stream_read(struct exec_stream *s, struct poold_job *job, size_t max)
{
	static char bytes[READ_BYTES];
	ssize_t n;

	n = read(s->pipe, bytes, sizeof(bytes));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0) {
		s->pipe = fd_close(s->pipe);
		return 0;
	}
	return take(s, job, bytes, (size_t)n, max);
}

/* Not at the price of a worker that hangs, or dies of SIGPIPE as a command would. */
static void tell_client(const struct exec_stream *s, const char *text)
{
	struct pollfd pfd = {.fd = s->end, .events = POLLOUT};

	if (s->end < 0 || poll(&pfd, 1, 0) <= 0 || !(pfd.revents & POLLOUT))
		return;
	signal(SIGPIPE, SIG_IGN);
	(void)!write(s->end, text, strlen(text));
	signal(SIGPIPE, SIG_DFL);
}

int exec_stream_add(struct exec_stream *s, struct poold_job *job, const char *text, size_t max)
{
	if (s->is_own) {
		tell_client(s, text);
		return 0;
	}
	return take(s, job, text, strlen(text), max);
}

static int pack_inline(const struct exec_stream *s, struct bufpack *p)
{
	char bytes[INLINE_BYTES];
	ssize_t n = 0;

	if (s->len > 0)
		n = pread(s->memfd, bytes, s->len, 0);
	if (n < 0)
		return -errno;
	bufpack_bin(p, bytes, (size_t)n);
	return bufpack_error(p);
}

int exec_stream_pack(struct exec_stream *s, struct bufpack *p, struct poold_job *job)
{
	int r;

	if (s->is_own) {
		bufpack_nil(p);
		return bufpack_error(p);
	}
	if (s->len <= INLINE_BYTES)
		return pack_inline(s, p);
	r = shm_seal(s->memfd);
	if (r < 0)
		return r;
	r = result_attach(&job->result, s->memfd);
	if (r < 0)
		return r;
	s->memfd = -1;
	bufpack_ext_fd(p, (uint8_t)r);
	return bufpack_error(p);
}
