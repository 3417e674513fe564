/* libpoold inside a plain epoll loop: each line of standard input is a shell command; it becomes a
 *job of the function exec, and what it wrote is printed when it ends.
 *
 *	printf '%s\n' date 'sleep 1; id' | ./loop_epoll
 *
 * The glue is watch_poold() and the lines around epoll_wait(): before each wait the library is
 *asked what it waits for, after it the library is let run. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <poold-command.h>
#include <poold.h>

struct program {
	poold *p;
	int epoll;
	int is_input_watched;
	int n_jobs; /* under way */
	int failed;
	char line[4096];
	size_t len;
};

static int on_end(poold_future *future, void *userdata)
{
	struct program *me = userdata;
	const char *code, *message;
	const void *output;
	size_t len;

	me->n_jobs--;
	if (poold_future_get_error(future, &code, &message) > 0) {
		fprintf(stderr, "%llu: %s: %s\n", (unsigned long long)poold_future_get_id(future),
			code, message);
		me->failed = 1;
	}
	if (poold_future_get_output(future, 1, &output, &len, NULL) == 0)
		fwrite(output, 1, len, stdout);
	return 0;
}

static int submit_line(struct program *me, const char *line)
{
	poold_options options = POOLD_OPTIONS_INIT;
	poold_command *command;
	poold_future *future;
	int r;

	options.auto_release = 1;
	r = poold_command_new(&command);
	if (r < 0)
		return r;
	r = poold_command_set_shell(command, line);
	if (r == 0)
		r = poold_submit(me->p, "exec", poold_input_command(command), &options, &future);
	poold_command_free(command);
	if (r < 0)
		return r;
	/* the handle keeps the future until its callback has run */
	r = poold_future_set_callback(future, on_end, me);
	poold_future_unref(future);
	me->n_jobs++;
	return r;
}

/* Takes whole lines out of what was read. */
static int submit_lines(struct program *me)
{
	char *end;
	int r = 0;

	while (r == 0 && (end = memchr(me->line, '\n', me->len))) {
		size_t len = (size_t)(end - me->line) + 1;

		*end = '\0';
		if (len > 1)
			r = submit_line(me, me->line);
		me->len -= len;
		memmove(me->line, me->line + len, me->len);
	}
	return r;
}

static int on_input(struct program *me)
{
	ssize_t n = read(STDIN_FILENO, me->line + me->len, sizeof(me->line) - me->len);

	if (n < 0)
		return -errno;
	me->len += (size_t)n;
	if (n == 0 || me->len == sizeof(me->line)) {
		if (me->is_input_watched > 0)
			epoll_ctl(me->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		me->is_input_watched = 0;
	}
	return submit_lines(me);
}

/* What the library waits for now. */
static int watch_poold(struct program *me, int op)
{
	struct epoll_event event = {0};
	int events = poold_get_events(me->p);

	if (events < 0)
		return events;
	event.events = (events & POLLIN ? EPOLLIN : 0) | (events & POLLOUT ? EPOLLOUT : 0);
	event.data.fd = poold_get_fd(me->p);
	return epoll_ctl(me->epoll, op, event.data.fd, &event) < 0 ? -errno : 0;
}

/* Its absolute time in microseconds as the milliseconds that epoll_wait() takes, rounded up. */
static int timeout_ms(poold *p)
{
	struct timespec now;
	uint64_t at_us, now_us;

	if (poold_get_timeout(p, &at_us) < 0 || at_us == UINT64_MAX)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return at_us <= now_us ? 0 : (int)((at_us - now_us + 999) / 1000);
}

static int loop(struct program *me)
{
	struct epoll_event input = {0}, event;
	int r = watch_poold(me, EPOLL_CTL_ADD);

	input.events = EPOLLIN;
	input.data.fd = STDIN_FILENO;
	me->is_input_watched = epoll_ctl(me->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) == 0;
	/* a regular file cannot be watched, but never makes one wait */
	while (r == 0 && !me->is_input_watched && errno == EPERM) {
		me->is_input_watched = -1;
		while (r == 0 && me->is_input_watched)
			r = on_input(me);
		break;
	}
	while (r >= 0 && (me->is_input_watched || me->n_jobs > 0)) {
		int n;

		r = watch_poold(me, EPOLL_CTL_MOD);
		if (r < 0)
			break;
		n = epoll_wait(me->epoll, &event, 1, timeout_ms(me->p));
		if (n > 0 && event.data.fd == STDIN_FILENO)
			r = on_input(me);
		while (r >= 0 && (r = poold_process(me->p)) > 0)
			;
	}
	return r;
}

int main(void)
{
	struct program me = {0};
	int r;

	r = poold_open(&me.p, NULL);
	if (r < 0) {
		fprintf(stderr, "no connection: %s\n", poold_strerror(r));
		return 1;
	}
	me.epoll = epoll_create1(EPOLL_CLOEXEC);
	r = me.epoll < 0 ? -errno : loop(&me);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", poold_strerror(r), poold_get_error_text(me.p));
	if (me.epoll >= 0)
		close(me.epoll);
	poold_unref(me.p);
	return r < 0 || me.failed;
}
