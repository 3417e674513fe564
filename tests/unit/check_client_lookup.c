/* How libpoold finds the daemon, whom it trusts, and the words of its states and errors. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/fake_daemon.h"

/* Connects with what the environment says. What poold_connect() returned. */
static int look_up(const char *given, const char *path, const char *origin)
{
	poold *p = NULL;
	int r;

	ck_assert_int_eq(poold_new(&p), 0);
	ck_assert_ptr_null(poold_get_socket(p));
	ck_assert_int_eq(poold_set_socket(p, given), 0);
	r = poold_connect(p);
	ck_assert_str_eq(poold_get_socket(p), path);
	ck_assert_str_eq(poold_get_socket_origin(p), origin);
	if (r < 0)
		ck_assert_ptr_nonnull(strstr(poold_get_error_text(p), path));
	poold_unref(p);
	return r;
}

START_TEST(the_socket_is_looked_up_in_order)
{
	struct fake_daemon d;
	char *given, *env, *runtime;
	char far[200];

	fake_daemon_start(&d);
	given = strdup(fake_daemon_path(&d));
	env = strdup(folder_at(&d.folder, "env.sock"));
	runtime = strdup(folder_at(&d.folder, "poold/poold.sock"));
	ck_assert_int_eq(setenv("POOLD_SOCKET", env, 1), 0);
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", d.folder.path, 1), 0);
	ck_assert_int_eq(look_up(given, given, "given"), 0);
	ck_assert_int_eq(look_up(NULL, env, "$POOLD_SOCKET"), -ENOENT);
	ck_assert_int_eq(setenv("POOLD_SOCKET", "", 1), 0);
	ck_assert_int_eq(mkdir(folder_at(&d.folder, "poold"), 0700), 0);
	ck_assert_int_eq(rename(given, runtime), 0);
	ck_assert_int_eq(look_up(NULL, runtime, "$XDG_RUNTIME_DIR"), 0);
	/* there, but nobody listens */
	fd_close(d.listener);
	d.listener = -1;
	ck_assert_int_eq(look_up(NULL, runtime, "$XDG_RUNTIME_DIR"), -ECONNREFUSED);
	ck_assert_int_eq(remove(runtime), 0);
	look_up(NULL, "/run/poold/poold.sock", "default");
	memset(far, 'x', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	ck_assert_int_eq(setenv("POOLD_SOCKET", far, 1), 0);
	{
		poold *p;

		ck_assert_int_eq(poold_open(&p, NULL), -ENAMETOOLONG);
		ck_assert_int_eq(poold_open(&p, far), -ENAMETOOLONG);
	}
	free(given);
	free(env);
	free(runtime);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(what_cannot_be_set_while_connected)
{
	struct fake_daemon d;
	uid_t uid;
	poold *p;

	ck_assert_int_eq(poold_new(&p), 0);
	ck_assert_int_eq(poold_get_fd(p), -ENOTCONN);
	ck_assert_int_eq(poold_process(p), -ENOTCONN);
	ck_assert_int_eq(poold_reconnect(p), -EISCONN);
	ck_assert_int_eq(poold_set_out_max(p, 1), -EINVAL);
	poold_unref(p);
	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_get_server_uid(p, &uid), 0);
	ck_assert_uint_eq(uid, geteuid());
	ck_assert_int_eq(poold_connect(p), -EISCONN);
	ck_assert_int_eq(poold_reconnect(p), -EISCONN);
	ck_assert_int_eq(poold_set_socket(p, NULL), -EISCONN);
	ck_assert_int_eq(poold_set_server_uid(p, 1), -EISCONN);
	ck_assert_int_eq(poold_set_client_name(p, "x"), -EISCONN);
	ck_assert_int_eq(poold_wait(p, 0), 0);
	poold_unref(p);
	ck_assert_ptr_null(poold_unref(NULL));
	ck_assert_int_eq(poold_process(NULL), -EINVAL);
	fake_daemon_stop(&d);
}
END_TEST

/* The uid of a server is its effective one when it began to listen. */
START_TEST(a_strangers_server_is_not_trusted)
{
	const uid_t stranger = 65534;
	struct fake_daemon d;
	char text[16];
	poold *p;
	uid_t uid;

	if (geteuid() != 0)
		return; /* nobody else can take another uid */
	fake_daemon_start(&d);
	ck_assert_int_eq(seteuid(stranger), 0);
	ck_assert_int_eq(listen(d.listener, 8), 0);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(poold_new(&p), 0);
	ck_assert_int_eq(poold_set_socket(p, fake_daemon_path(&d)), 0);
	ck_assert_int_eq(poold_connect(p), -EPERM);
	ck_assert_ptr_nonnull(strstr(poold_get_error_text(p), "uid 65534"));
	ck_assert_int_eq(poold_get_server_uid(p, &uid), -ENOTCONN);
	snprintf(text, sizeof(text), "%u1", stranger);
	ck_assert_int_eq(setenv("POOLD_SERVER_UID", text, 1), 0);
	ck_assert_int_eq(poold_connect(p), -EPERM);
	ck_assert_int_eq(setenv("POOLD_SERVER_UID", "65534 ", 1), 0);
	ck_assert_int_eq(poold_connect(p), -EPERM);
	snprintf(text, sizeof(text), "%u", stranger);
	ck_assert_int_eq(setenv("POOLD_SERVER_UID", text, 1), 0);
	ck_assert_int_eq(poold_connect(p), 0);
	poold_unref(p);
	ck_assert_int_eq(unsetenv("POOLD_SERVER_UID"), 0);
	ck_assert_int_eq(poold_new(&p), 0);
	ck_assert_int_eq(poold_set_socket(p, fake_daemon_path(&d)), 0);
	ck_assert_int_eq(poold_set_server_uid(p, stranger), 0);
	ck_assert_int_eq(poold_connect(p), 0);
	ck_assert_int_eq(poold_get_server_uid(p, &uid), 0);
	ck_assert_uint_eq(uid, stranger);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_name_of_ones_own)
{
	struct fake_daemon d;
	char name[66] = "";
	poold *p;

	fake_daemon_start(&d);
	memset(name, 'n', sizeof(name) - 1);
	ck_assert_int_eq(poold_new(&p), 0);
	ck_assert_int_eq(poold_set_client_name(p, name), -EINVAL);
	ck_assert_int_eq(poold_set_client_name(p, "me"), 0);
	ck_assert_int_eq(poold_set_socket(p, fake_daemon_path(&d)), 0);
	ck_assert_int_eq(poold_connect(p), 0);
	fake_daemon_accept(&d);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(
		&d, "hello", "[{\"client\": \"me\", \"version\": \"0.1.0\", \"fds\": true}]");
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(longer_messages_if_the_daemon_says_so)
{
	static uint8_t value[2u * 1024u * 1024u];
	struct fake_daemon d;
	poold_future *f;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	memcpy(value, "\xc6\x00\x1f\xff\xfb", 5);
	ck_assert_int_eq(poold_submit(p, "f", poold_input_encoded(value, sizeof(value)), NULL, &f),
		-EMSGSIZE);
	poold_unref(p);
	ck_assert_int_eq(poold_open(&p, fake_daemon_path(&d)), 0);
	fake_daemon_accept(&d);
	fake_daemon_say(&d, "[iin{sis{si}}]", 1, 1, "pid", 1, "limits", "message_bytes", 4 << 20);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(
		poold_submit(p, "f", poold_input_encoded(value, sizeof(value)), NULL, &f), 0);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(words)
{
	static const int errors[] = {ECHILD, ENOTCONN, EPROTO, EDEADLK, EAGAIN, EBADMSG, EMSGSIZE,
		E2BIG, ENOMSG, ENODATA, EREMOTEIO, ENOENT};
	static const char *const states[] = {[POOLD_SENT] = "sent",
		[POOLD_ACCEPTED] = "accepted",
		[POOLD_DELAYED] = "delayed",
		[POOLD_BLOCKED] = "blocked",
		[POOLD_QUEUED] = "queued",
		[POOLD_RUNNING] = "running",
		[POOLD_CANCELLING] = "cancelling",
		[POOLD_DONE] = "done",
		[POOLD_FAILED] = "failed",
		[POOLD_CANCELLED] = "cancelled",
		[POOLD_TIMEOUT] = "timeout",
		[POOLD_LOST] = "lost",
		[POOLD_ABORTED] = "aborted",
		[POOLD_REFUSED] = "refused",
		[POOLD_DISCONNECTED] = "disconnected"};

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		ck_assert_str_eq(
			poold_state_name((poold_state)i), states[i] ? states[i] : "unknown");
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++)
		ck_assert_str_ne(poold_strerror(-errors[i]), "Unknown error");
	ck_assert_str_eq(poold_strerror(-100000), "Unknown error");
	ck_assert_str_eq(poold_strerror(0), "Success");
	ck_assert_int_eq(poold_code_is_temporary("full"), 1);
	ck_assert_int_eq(poold_code_is_temporary("draining"), 1);
	ck_assert_int_eq(poold_code_is_temporary("unknown_pool"), 0);
	ck_assert_int_eq(poold_code_is_temporary(NULL), 0);
	ck_assert_str_eq(poold_version(), "0.1.0");
}
END_TEST

SUITE_MAIN("client_lookup", the_socket_is_looked_up_in_order, what_cannot_be_set_while_connected,
	a_strangers_server_is_not_trusted, a_name_of_ones_own,
	longer_messages_if_the_daemon_says_so, words)
