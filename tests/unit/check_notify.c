/* What a service manager hears; without libsystemd, that it hears nothing. */
#include "daemon/notify.h"

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/lib/check_run.h"
#include "tests/lib/folder.h"

static struct folder folder;
static int manager;

static void setup(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	folder_make(&folder);
	strcpy(a.sun_path, folder_at(&folder, "notify"));
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	setenv("WATCHDOG_USEC", "1000000", 1);
	unsetenv("WATCHDOG_PID");
}

static void teardown(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	close(manager);
	folder_remove(&folder);
}

/* The next message; "" if there is none. */
static const char *heard(void)
{
	static char text[1024];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

#ifdef HAVE_SYSTEMD

START_TEST(ready_and_stopping_come_with_a_status)
{
	notify_ready("serving %d", 1);
	ck_assert_str_eq(heard(), "READY=1\nSTATUS=serving 1");
	notify_stopping("ending %s", "x");
	ck_assert_str_eq(heard(), "STOPPING=1\nSTATUS=ending x");
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(a_status_is_told_when_it_is_news)
{
	struct notify n;

	notify_init(&n);
	ck_assert(notify_wants_status(&n, 1));
	notify_status(&n, 1, "%d jobs", 7);
	ck_assert_str_eq(heard(), "STATUS=7 jobs");
	ck_assert(!notify_wants_status(&n, 2));
	ck_assert_uint_eq(notify_status_next(&n), n.status_at_us);
	ck_assert(notify_wants_status(&n, n.status_at_us));
	notify_status(&n, n.status_at_us, "%d jobs", 7);
	ck_assert_str_eq(heard(), "");
	ck_assert_uint_eq(notify_status_next(&n), UINT64_MAX);
	notify_status(&n, n.status_at_us, "%d jobs", 8);
	ck_assert_str_eq(heard(), "STATUS=8 jobs");
}
END_TEST

START_TEST(the_watchdog_hears_a_beat_twice_an_interval)
{
	struct notify n;

	notify_init(&n);
	ck_assert_uint_eq(notify_watchdog(&n, 5000000), 5500000);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	ck_assert_uint_eq(notify_watchdog(&n, 5499999), 5500000);
	ck_assert_str_eq(heard(), "");
	ck_assert_uint_eq(notify_watchdog(&n, 5600000), 6100000);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
}
END_TEST

START_TEST(a_watchdog_of_another_process_is_not_fed)
{
	struct notify n;

	setenv("WATCHDOG_PID", "1", 1);
	notify_init(&n);
	unsetenv("WATCHDOG_PID");
	ck_assert_uint_eq(notify_watchdog(&n, 5000000), UINT64_MAX);
	ck_assert_str_eq(heard(), "");
}
END_TEST

#endif

START_TEST(without_a_manager_nothing_happens)
{
	struct notify n;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	notify_init(&n);
	notify_ready("x");
	notify_stopping("x");
	ck_assert_uint_eq(notify_watchdog(&n, 5000000), UINT64_MAX);
	ck_assert_str_eq(heard(), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify");
	TCase *messages = tcase_create("messages");

	tcase_add_checked_fixture(messages, setup, teardown);
#ifdef HAVE_SYSTEMD
	tcase_add_test(messages, ready_and_stopping_come_with_a_status);
	tcase_add_test(messages, a_status_is_told_when_it_is_news);
	tcase_add_test(messages, the_watchdog_hears_a_beat_twice_an_interval);
	tcase_add_test(messages, a_watchdog_of_another_process_is_not_fed);
#endif
	tcase_add_test(messages, without_a_manager_nothing_happens);
	suite_add_tcase(suite, messages);
	return check_run(suite);
}
