/* Places that a socket may and may not take. */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/listener_case.h"

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

static mode_t mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(folder_at(&folder, name), &st), 0);
	return st.st_mode;
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
	ck_assert(!folder_has(&folder, "p.sock"));
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
	ck_assert(folder_has(&folder, "p.sock"));
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
	ck_assert(folder_has(&folder, "p.sock"));
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
	ck_assert(folder_has(&folder, "p.sock"));
	close(other);
}
END_TEST

START_TEST(at_the_end_only_its_own_socket_goes)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(rename(config.socket, folder_at(&folder, "old")), 0);
	close(squat(SOCK_STREAM, 1));
	listener = listener_free(listener);
	ck_assert(folder_has(&folder, "p.sock"));
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
	ck_assert(!folder_has(&folder, "p.sock"));
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

SUITE_MAIN_WITH("listener", setup, teardown, it_serves_and_leaves_nothing_but_its_lock,
	its_mode_is_as_configured_whatever_the_umask, it_belongs_to_the_group,
	its_directory_is_made_for_those_who_may_connect,
	a_directory_that_others_can_write_to_is_refused, a_dead_socket_is_replaced,
	a_live_one_is_left_alone, of_two_starts_one_goes_on, what_is_in_the_way_is_left_alone,
	a_datagram_socket_that_lives_is_left_alone, at_the_end_only_its_own_socket_goes,
	a_group_that_cannot_be_given_leaves_no_socket)
