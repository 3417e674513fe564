/* Places that a socket may and may not take, connections, and what happens without fds. */
#include "daemon/listener.h"

#include <config.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "tests/lib/capture.h"
#include "tests/lib/check_run.h"
#include "tests/lib/folder.h"

enum { MANY = 100 };

static struct folder folder;
static struct event_base *base;
static struct config config;
static struct listener *listener;
static unsigned n_accepted;
static bool free_on_accept;

int __real_bind(int fd, const struct sockaddr *a, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *a, socklen_t len);

static mode_t mode_after_bind;

/* What others could see of the socket before it is theirs to see. */
int __wrap_bind(int fd, const struct sockaddr *a, socklen_t len)
{
	int r = __real_bind(fd, a, len);
	struct stat st;

	if (r == 0 && lstat(((const struct sockaddr_un *)(const void *)a)->sun_path, &st) == 0)
		mode_after_bind = st.st_mode & 0777;
	return r;
}

static void on_accept(int fd, void *userdata)
{
	ck_assert_ptr_eq(userdata, &config);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(fd);
	n_accepted++;
	if (free_on_accept)
		listener = listener_free(listener);
}

/* config.socket becomes this name in the folder. */
static void place(const char *name)
{
	free(config.socket);
	config.socket = strdup(folder_at(&folder, name));
}

static void setup(void)
{
	folder_make(&folder);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	config = (struct config){.socket_mode = 0600, .socket_gid = (gid_t)-1};
	place("p.sock");
	n_accepted = 0;
	free_on_accept = false;
	capture_start();
}

static void teardown(void)
{
	capture_end();
	listener = listener_free(listener);
	event_base_free(base);
	free(config.socket);
	folder_remove(&folder);
}

static int start(void)
{
	return listener_new(base, &config, on_accept, &config, &listener);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, config.socket);
	return a;
}

/* A client's end; -errno if it was refused. */
static int connect_to(void)
{
	struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -errno;
}

/* A socket of somebody else at the place; a backlog below 0: nobody listens. */
static int squat(int type, int backlog)
{
	struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(folder_at(&folder, name), &st), 0);
	return st.st_mode;
}

static bool is_there(const char *name)
{
	return faccessat(AT_FDCWD, folder_at(&folder, name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* It does not start, and a line has these words. */
static void expect_refused(const char *words)
{
	const char *said;

	ck_assert_int_ne(start(), 0);
	ck_assert_ptr_null(listener);
	said = capture_read();
	ck_assert_msg(strncmp(said, "<3>", 3) == 0 && strstr(said, words), "no \"%s\" in: %s",
		words, said);
}

/* ---- places ---- */

START_TEST(it_serves_and_leaves_nothing_but_its_lock)
{
	int client;

	ck_assert_int_eq(start(), 0);
	ck_assert_str_eq(listener_path(listener), config.socket);
	client = connect_to();
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(n_accepted, 1);
	close(client);
	listener = listener_free(listener);
	ck_assert(!is_there("p.sock"));
	ck_assert_int_eq(start(), 0);
}
END_TEST

START_TEST(its_mode_is_as_configured_whatever_the_umask)
{
	static const mode_t modes[] = {0600, 0660, 0666};

	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		mode_t before = umask(i ? 0077 : 0);

		config.socket_mode = modes[i];
		ck_assert_int_eq(start(), 0);
		ck_assert_int_eq(mode_after_bind & ~modes[i], 0);
		ck_assert_int_eq(mode_of("p.sock"), S_IFSOCK | modes[i]);
		ck_assert_int_eq(umask(before), i ? 0077 : 0);
		listener = listener_free(listener);
	}
}
END_TEST

START_TEST(it_belongs_to_the_group)
{
	struct stat st;

	config.socket_gid = geteuid() == 0 ? 4242 : getegid();
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(lstat(config.socket, &st), 0);
	ck_assert_uint_eq(st.st_gid, config.socket_gid);
}
END_TEST

START_TEST(its_directory_is_made_for_those_who_may_connect)
{
	place("a/b/p.sock");
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(mode_of("a"), S_IFDIR | 0700);
	ck_assert_int_eq(mode_of("a/b"), S_IFDIR | 0700);
	listener = listener_free(listener);
	place("c/p.sock");
	config.socket_mode = 0660;
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(mode_of("c"), S_IFDIR | 0755);
}
END_TEST

START_TEST(a_directory_that_others_can_write_to_is_refused)
{
	place("d/p.sock");
	ck_assert_int_eq(mkdir(folder_at(&folder, "d"), 0700), 0);
	ck_assert_int_eq(chmod(folder_at(&folder, "d"), 01777), 0);
	expect_refused("everybody may write");
	ck_assert_int_eq(chmod(folder_at(&folder, "d"), 0770), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(folder_at(&folder, "d"), 0, 4242), 0);
		expect_refused("a group may write");
		ck_assert_int_eq(chown(folder_at(&folder, "d"), 4242, 0), 0);
		expect_refused("another user");
		ck_assert_int_eq(chown(folder_at(&folder, "d"), 0, 0), 0);
	}
	ck_assert_int_eq(start(), 0); /* its own group may */
}
END_TEST

START_TEST(a_dead_socket_is_replaced)
{
	close(squat(SOCK_STREAM, 1));
	ck_assert_int_eq(connect_to(), -ECONNREFUSED);
	ck_assert_int_eq(start(), 0);
	ck_assert_int_ge(connect_to(), 0);
}
END_TEST

START_TEST(a_live_one_is_left_alone)
{
	int other = squat(SOCK_STREAM, 0);

	expect_refused("another poold listens");
	/* Also when its backlog is full. */
	while (connect_to() >= 0)
		;
	expect_refused("another poold listens");
	ck_assert(is_there("p.sock"));
	close(other);
}
END_TEST

START_TEST(of_two_starts_one_goes_on)
{
	struct listener *second = NULL;
	char pid[32];
	const char *said;

	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(
		listener_new(base, &config, on_accept, &config, &second), LISTENER_E_REFUSED);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	said = capture_read();
	ck_assert_ptr_nonnull(strstr(said, "another poold listens"));
	ck_assert_ptr_nonnull(strstr(said, pid));
	/* Even if somebody took the socket away. */
	ck_assert_int_eq(unlink(config.socket), 0);
	ck_assert_int_eq(
		listener_new(base, &config, on_accept, &config, &second), LISTENER_E_REFUSED);
	ck_assert_ptr_null(second);
}
END_TEST

START_TEST(what_is_in_the_way_is_left_alone)
{
	folder_write(&folder, "p.sock", "precious");
	expect_refused("no socket");
	ck_assert_str_eq(folder_read(&folder, "p.sock"), "precious");
	ck_assert_int_eq(rename(config.socket, folder_at(&folder, "file")), 0);

	ck_assert_int_eq(symlink("file", config.socket), 0);
	expect_refused("symbolic link");
	ck_assert_int_eq(unlink(config.socket), 0);
	ck_assert_int_eq(symlink("nowhere", config.socket), 0);
	expect_refused("symbolic link");
	ck_assert_int_eq(unlink(config.socket), 0);

	ck_assert_int_eq(mkdir(config.socket, 0700), 0);
	expect_refused("no socket");
	ck_assert_int_eq(rmdir(config.socket), 0);
	ck_assert_int_eq(mkfifo(config.socket, 0600), 0);
	expect_refused("no socket");
	ck_assert_int_eq(unlink(config.socket), 0);

	close(squat(SOCK_DGRAM, -1));
	ck_assert(is_there("p.sock"));
	ck_assert_int_eq(unlink(folder_at(&folder, "p.sock.lock")), 0);
	ck_assert_int_eq(symlink("file", folder_at(&folder, "p.sock.lock")), 0);
	expect_refused("p.sock.lock");
	ck_assert_str_eq(folder_read(&folder, "file"), "precious");
}
END_TEST

START_TEST(a_datagram_socket_that_lives_is_left_alone)
{
	int other = squat(SOCK_DGRAM, -1);

	expect_refused("cannot be tried");
	ck_assert(is_there("p.sock"));
	close(other);
}
END_TEST

START_TEST(at_the_end_only_its_own_socket_goes)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(rename(config.socket, folder_at(&folder, "old")), 0);
	close(squat(SOCK_STREAM, 1));
	listener = listener_free(listener);
	ck_assert(is_there("p.sock"));
}
END_TEST

START_TEST(a_group_that_cannot_be_given_leaves_no_socket)
{
	if (geteuid() == 0) {
		/* Root may give it to any: another uid may not. */
		ck_assert_int_eq(chown(folder.path, 65534, (gid_t)-1), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	config.socket_gid = 4242;
	expect_refused("socket_group");
	ck_assert(!is_there("p.sock"));
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* ---- connections ---- */

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
	ck_assert(is_there("p.sock"));
	ck_assert(!is_there("p.sock.lock"));
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

#endif

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *places = tcase_create("places"), *connections = tcase_create("connections");

	tcase_add_checked_fixture(places, setup, teardown);
	tcase_add_test(places, it_serves_and_leaves_nothing_but_its_lock);
	tcase_add_test(places, its_mode_is_as_configured_whatever_the_umask);
	tcase_add_test(places, it_belongs_to_the_group);
	tcase_add_test(places, its_directory_is_made_for_those_who_may_connect);
	tcase_add_test(places, a_directory_that_others_can_write_to_is_refused);
	tcase_add_test(places, a_dead_socket_is_replaced);
	tcase_add_test(places, a_live_one_is_left_alone);
	tcase_add_test(places, of_two_starts_one_goes_on);
	tcase_add_test(places, what_is_in_the_way_is_left_alone);
	tcase_add_test(places, a_datagram_socket_that_lives_is_left_alone);
	tcase_add_test(places, at_the_end_only_its_own_socket_goes);
	tcase_add_test(places, a_group_that_cannot_be_given_leaves_no_socket);
	tcase_set_timeout(places, 60);
	suite_add_tcase(suite, places);

	tcase_add_checked_fixture(connections, setup, teardown);
	tcase_add_test(connections, others_get_their_turn_between_many_connections);
	tcase_add_test(connections, it_may_be_freed_while_it_accepts);
	tcase_add_test(connections, without_fds_it_pauses_and_says_so_once);
#ifdef HAVE_SYSTEMD
	tcase_add_test(connections, a_socket_of_the_service_manager_is_used_and_stays);
	tcase_add_test(connections, other_things_that_are_handed_over_are_refused);
#endif
	tcase_set_timeout(connections, 60);
	suite_add_tcase(suite, connections);
	return check_run(suite);
}
