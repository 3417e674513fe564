/* Connections: in turn, without fds, and over a socket that was handed over. */
#include <config.h>

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "tests/unit/listener_case.h"

enum { MANY = 100 };

START_TEST(others_get_their_turn_between_many_connections)
{
	int clients[MANY];

	ck_assert_int_eq(start(), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_ge(clients[i] = connect_to(), 0);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_gt(n_accepted, 0);
	ck_assert_uint_lt(n_accepted, MANY);
	while (n_accepted < MANY)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	for (int i = 0; i < MANY; i++)
		close(clients[i]);
}
END_TEST

START_TEST(it_may_be_freed_while_it_accepts)
{
	int clients[3];

	free_on_accept = true;
	ck_assert_int_eq(start(), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_ge(clients[i] = connect_to(), 0);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(n_accepted, 1);
	ck_assert_ptr_null(listener);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
}
END_TEST

START_TEST(without_fds_it_pauses_and_says_so_once)
{
	struct rlimit before, none;
	int clients[10], lowest;
	uint64_t start_us;
	const char *said;

	ck_assert_int_eq(start(), 0);
	/* Several, since accept() under valgrind takes one away and then fails. */
	for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
		ck_assert_int_ge(clients[i] = connect_to(), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowest = dup(clients[0]);
	close(lowest);
	none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);

	/* Turns of the loop: a refusal, the end of a pause, a refusal, … */
	start_us = clock_now_us();
	for (int i = 0; i < 7; i++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_ge(clock_now_us() - start_us, 3 * 80000);
	ck_assert_uint_eq(n_accepted, 0);
	said = capture_read();
	ck_assert_ptr_nonnull(strstr(said, strerror(EMFILE)));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);

	/* And it recovers. */
	while (n_accepted == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
}
END_TEST

/* ---- a socket that is handed over ---- */

#ifdef HAVE_SYSTEMD

/* In a child, since it takes fd 3 on: what `check` returns is the result. */
static int with_handed_over(const int *fds, unsigned n, int (*check)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		char text[16];

		event_base_free(base);
		/* Out of the way first: the sockets may own these numbers themselves. */
		for (unsigned i = 0; i < n; i++)
			if (dup2(fds[i], 100 + (int)i) < 0)
				_exit(90);
		for (unsigned i = 0; i < n; i++)
			if (dup2(100 + (int)i, 3 + (int)i) < 0)
				_exit(91);
		base = event_base_new();
		snprintf(text, sizeof(text), "%d", (int)getpid());
		setenv("LISTEN_PID", text, 1);
		snprintf(text, sizeof(text), "%u", n);
		setenv("LISTEN_FDS", text, 1);
		setenv("LISTEN_FDNAMES", n == 1 ? "poold" : "poold:other", 1);
		_exit(check());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int adopts(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", config.socket);
	free(config.socket);
	config.socket = strdup("/nowhere/at/all");
	if (start() != 0)
		return 1;
	if (strcmp(listener_path(listener), path) != 0)
		return 2;
	if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES"))
		return 3;
	if (!(fcntl(3, F_GETFD) & FD_CLOEXEC))
		return 4;
	while (n_accepted == 0)
		event_base_loop(base, EVLOOP_ONCE);
	listener = listener_free(listener);
	return 0;
}

START_TEST(a_socket_of_the_service_manager_is_used_and_stays)
{
	int fd = squat(SOCK_STREAM, 5), client = connect_to();

	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(with_handed_over(&fd, 1, adopts), 0);
	ck_assert(folder_has(&folder, "p.sock"));
	ck_assert(!folder_has(&folder, "p.sock.lock"));
	close(client);
	ck_assert_int_ge(client = connect_to(), 0);
	close(client);
	close(fd);
}
END_TEST

static int refuses(void)
{
	return start() == LISTENER_E_REFUSED && fcntl(3, F_GETFD) < 0 ? 0 : 1;
}

START_TEST(other_things_that_are_handed_over_are_refused)
{
	int pair[2], fds[2];

	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(with_handed_over(fds, 1, refuses), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(with_handed_over(pair, 1, refuses), 0);
	place("datagram");
	fds[1] = squat(SOCK_DGRAM, -1);
	ck_assert_int_eq(with_handed_over(&fds[1], 1, refuses), 0);
	close(fds[1]);
	place("packets");
	fds[1] = squat(SOCK_SEQPACKET, 1);
	ck_assert_int_eq(with_handed_over(&fds[1], 1, refuses), 0);
	close(fds[0]);
	place("stream");
	fds[0] = squat(SOCK_STREAM, 1);
	ck_assert_int_eq(with_handed_over(fds, 2, refuses), 0);
	ck_assert_ptr_nonnull(strstr(capture_read(), "more than one"));
	close(fds[0]);
	close(fds[1]);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

#define HANDED_OVER                                                                                \
	, a_socket_of_the_service_manager_is_used_and_stays,                                       \
		other_things_that_are_handed_over_are_refused
#else
#define HANDED_OVER
#endif

SUITE_MAIN_WITH("listener_accept", setup, teardown, others_get_their_turn_between_many_connections,
	it_may_be_freed_while_it_accepts, without_fds_it_pauses_and_says_so_once HANDED_OVER)
