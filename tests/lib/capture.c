#include "tests/lib/capture.h"

#include <check.h>
#include <fcntl.h>
#include <unistd.h>

static int saved = -1;
static int reader = -1;

void capture_start(void)
{
	int pipe_fds[2];

	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	ck_assert_int_ge(saved, 0);
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_ge(dup2(pipe_fds[1], STDERR_FILENO), 0);
	close(pipe_fds[1]);
	reader = pipe_fds[0];
}

const char *capture_read(void)
{
	static char text[256 * 1024];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(text) - 1 && (got = read(reader, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return text;
}

void capture_end(void)
{
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	close(reader);
	saved = reader = -1;
}
