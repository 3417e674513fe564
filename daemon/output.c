/* The pipe is drained whatever happens, so a talkative worker never waits for us, and the log never
 * for it: beyond its limit a line is only counted.
 */
#include "daemon/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "proto/text.h"

#define READ_BYTES 4096u
/* Reads per event: a flood must not hold the loop. */
#define READS_MAX 16

static void log_one(struct output *o)
{
	if (log_limit_admits(o->limit, clock_now_us()))
		log_info("pool %s, process %d: %.*s", o->limit->of, (int)o->pid, (int)o->line_len,
			o->line);
}

static void end_line(struct output *o)
{
	if (o->line_len > 0)
		log_one(o);
	o->line_len = 0;
}

static void feed(struct output *o, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		o->tail[o->n_bytes++ % OUTPUT_TAIL_BYTES] = bytes[i];
		if (bytes[i] == '\n' || bytes[i] == '\0') {
			end_line(o);
			continue;
		}
		if (o->line_len == sizeof(o->line))
			end_line(o);
		o->line[o->line_len++] = bytes[i];
	}
}

static void stop(struct output *o)
{
	if (o->event)
		event_del(o->event);
	o->fd = fd_close(o->fd);
}

void output_drain(struct output *o)
{
	char bytes[READ_BYTES];
	ssize_t n;

	for (int i = 0; i < READS_MAX && o->fd >= 0; i++) {
		n = read(o->fd, bytes, sizeof(bytes));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0)
			feed(o, bytes, (size_t)n);
		else
			stop(o);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	output_drain(arg);
}

int output_init(struct output *o, struct event_base *base, struct log_limit *limit, int *ret_fd)
{
	int fds[2];

	o->limit = limit;
	o->event = NULL;
	o->fd = -1;
	o->pid = 0;
	o->n_bytes = 0;
	o->line_len = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	o->fd = fds[0];
	/* of this end alone: the flags of the other one are the worker's */
	if (fcntl(o->fd, F_SETFL, O_NONBLOCK) == 0)
		o->event = event_new(base, o->fd, EV_READ | EV_PERSIST, on_readable, o);
	if (!o->event || event_add(o->event, NULL) < 0) {
		fd_close(fds[1]);
		output_deinit(o);
		return -ENOMEM;
	}
	*ret_fd = fds[1];
	return 0;
}

void output_deinit(struct output *o)
{
	if (o->limit) {
		end_line(o);
		log_limit_end(o->limit);
	}
	if (o->event)
		event_free(o->event);
	o->event = NULL;
	o->limit = NULL;
	o->fd = fd_close(o->fd);
}

static void make_plain(char *line, size_t len)
{
	if (text_is_plain(line, len))
		return;
	for (size_t i = 0; i < len; i++)
		if (line[i] != '\t' && (line[i] < ' ' || line[i] > '~'))
			line[i] = '?';
}

size_t output_tail(const struct output *o, char out[static OUTPUT_TAIL_BYTES])
{
	size_t len = o->n_bytes < OUTPUT_TAIL_BYTES ? (size_t)o->n_bytes : OUTPUT_TAIL_BYTES;
	size_t begin = 0;

	for (size_t i = 0; i < len; i++)
		out[i] = o->tail[(o->n_bytes - len + i) % OUTPUT_TAIL_BYTES];
	/* it may begin in the middle of a character */
	while (begin < len && begin < 3 && ((uint8_t)out[begin] & 0xc0) == 0x80)
		begin++;
	len -= begin;
	memmove(out, out + begin, len);
	for (size_t at = 0, end; at < len; at = end + 1) {
		for (end = at; end < len && out[end] != '\n'; end++)
			;
		make_plain(out + at, end - at);
	}
	return len;
}

const char *output_last_line(const char *tail, size_t len, size_t *ret_len)
{
	size_t begin;

	while (len > 0 && tail[len - 1] == '\n')
		len--;
	for (begin = len; begin > 0 && tail[begin - 1] != '\n'; begin--)
		;
	*ret_len = len - begin;
	return tail + begin;
}

void output_describe_end(const struct output *o, int status, char *text, size_t size)
{
	char tail[OUTPUT_TAIL_BYTES];
	size_t len = output_tail(o, tail), line_len;
	const char *line = output_last_line(tail, len, &line_len);
	bool is_signal = WIFSIGNALED(status);

	snprintf(text, size, "%s %d%s%.*s", is_signal ? "signal" : "exit code",
		is_signal ? WTERMSIG(status) : WEXITSTATUS(status), line_len ? ": " : "",
		(int)(line_len < 256 ? line_len : 256), line);
}
