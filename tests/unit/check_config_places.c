/* Where files are read from, and where socket and state lie, by who runs the daemon and how. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/config_case.h"

/* The rest of the test as another uid than root. */
static void become_user(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(folder.path, 0777), 0);
	ck_assert_int_eq(seteuid(65534), 0);
}

static void teardown_user(void)
{
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	teardown();
}

/* With the standard files. */
static int load_standard(const char *socket)
{
	const struct config_override o = {.socket = socket};

	return load_as(&o);
}

START_TEST(without_any_file_a_user_has_a_pool_of_its_own)
{
	become_user();
	ck_assert_int_eq(load_standard(NULL), 0);
	ck_assert_str_eq(config->socket, folder_at(&folder, "run/poold/poold.sock"));
	ck_assert_int_eq(config->socket_mode, 0600);
	ck_assert_str_eq(config->state_dir, folder_at(&folder, ".local/state/poold"));
	ck_assert_uint_eq(config->n_pools, 1);
	ck_assert_str_eq(config->pools[0].name, "default");
}
END_TEST

START_TEST(a_user_has_files_below_xdg_directories)
{
	become_user();
	ck_assert_int_eq(mkdir(folder_at(&folder, ".config"), 0700), 0);
	ck_assert_int_eq(mkdir(folder_at(&folder, ".config/poold"), 0700), 0);
	folder_write(&folder, ".config/poold/poold.conf", "[pool mine]\nhandler = exec\n");
	ck_assert_int_eq(mkdir(folder_at(&folder, ".config/poold/poold.conf.d"), 0700), 0);
	folder_write(&folder, ".config/poold/poold.conf.d/a.conf", "[pool mine]\nworkers = 9\n");
	ck_assert_int_eq(load_standard(NULL), 0);
	ck_assert_uint_eq(pool("mine")->workers, 9);
	/* Drop-ins need no main file. */
	ck_assert_int_eq(unlink(folder_at(&folder, ".config/poold/poold.conf")), 0);
	ck_assert_int_eq(load_standard(NULL), 1);
	ck_assert_str_eq(error.file, folder_at(&folder, ".config/poold/poold.conf.d/a.conf"));

	setenv("XDG_CONFIG_HOME", folder_at(&folder, "other"), 1);
	setenv("XDG_STATE_HOME", folder_at(&folder, "state"), 1);
	ck_assert_int_eq(load_standard(NULL), 0);
	ck_assert_str_eq(config->pools[0].name, "default");
	ck_assert_str_eq(config->state_dir, folder_at(&folder, "state/poold"));
	setenv("XDG_STATE_HOME", "relative", 1);
	ck_assert_int_eq(load_standard(NULL), 0);
	ck_assert_str_eq(config->state_dir, folder_at(&folder, ".local/state/poold"));
}
END_TEST

START_TEST(without_a_runtime_directory_a_user_is_told)
{
	become_user();
	unsetenv("XDG_RUNTIME_DIR");
	ck_assert_int_eq(load_standard(NULL), 1);
	ck_assert_str_eq(error.file, "");
	ck_assert_ptr_nonnull(strstr(error.message, "XDG_RUNTIME_DIR"));
	ck_assert_ptr_nonnull(strstr(error.message, "--socket"));
	setenv("XDG_RUNTIME_DIR", "", 1);
	ck_assert_int_eq(load_standard(NULL), 1);
	ck_assert_int_eq(load_standard("/x/y"), 0);
}
END_TEST

START_TEST(root_has_the_places_of_the_system)
{
	if (geteuid() != 0) {
		puts("skipped: not root");
		return;
	}
	load_good("");
	ck_assert_str_eq(config->socket, "/run/poold/poold.sock");
	ck_assert_int_eq(config->socket_mode, 0660);
	ck_assert_str_eq(config->state_dir, "/var/lib/poold");
}
END_TEST

START_TEST(a_service_uses_the_directories_it_was_given)
{
	setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
	setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
	load_good("");
	ck_assert_str_eq(config->socket, "/run/one/poold.sock");
	ck_assert_str_eq(config->state_dir, "/var/lib/one");
	load_good("[daemon]\nsocket = /a/b\nstate_dir = /c\n");
	ck_assert_str_eq(config->socket, "/a/b");
	ck_assert_str_eq(config->state_dir, "/c");
}
END_TEST

START_TEST(the_command_line_decides_over_the_file)
{
	char here[4096], expected[5000];

	folder_write(&folder, "p.conf", "[daemon]\nsocket = /a/b\n");
	ck_assert_int_eq(load("/x/y/z.sock"), 0);
	ck_assert_str_eq(config->socket, "/x/y/z.sock");
	ck_assert_str_eq(config->state_dir, "/x/y");
	ck_assert_int_eq(load("/z.sock"), 0);
	ck_assert_str_eq(config->state_dir, "/");
	ck_assert_int_eq(load("z.sock"), 0);
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/z.sock", here);
	ck_assert_str_eq(config->socket, expected);

	folder_write(&folder, "p.conf", "[daemon]\nstate_dir = /s\n");
	ck_assert_int_eq(load("/x/y/z.sock"), 0);
	ck_assert_str_eq(config->state_dir, "/s");
	ck_assert_int_eq(load(""), 1);
	/* The file is not to blame for what the command line says. */
	ck_assert_str_eq(error.file, "");
	ck_assert_int_eq(error.line, 0);
	ck_assert_ptr_nonnull(strstr(error.message, "--socket"));
}
END_TEST

START_TEST(a_named_file_must_be_there)
{
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_str_eq(error.file, folder_at(&folder, "p.conf"));
	ck_assert_int_eq(error.line, 0);
	ck_assert_ptr_nonnull(strstr(error.message, strerror(ENOENT)));
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf"), 0700), 0);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_ptr_nonnull(strstr(error.message, strerror(EISDIR)));
}
END_TEST

START_TEST(a_dangling_drop_in_is_no_silence)
{
	folder_write(&folder, "p.conf", "");
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf.d"), 0700), 0);
	ck_assert_int_eq(symlink("nowhere", folder_at(&folder, "p.conf.d/a.conf")), 0);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_str_eq(error.file, folder_at(&folder, "p.conf.d/a.conf"));
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
	int fd = open(folder_at(&folder, "p.conf"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, "[daemon]\nttl\0=1\n", 16), 16);
	close(fd);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_int_eq(error.line, 2);
	ck_assert_ptr_nonnull(strstr(error.message, "NUL"));
	/* It ends, too. */
	ck_assert_int_eq(unlink(folder_at(&folder, "p.conf")), 0);
	ck_assert_int_eq(symlink("/dev/zero", folder_at(&folder, "p.conf")), 0);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_int_eq(error.line, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_places");
	TCase *places = tcase_create("places");

	tcase_add_checked_fixture(places, setup, teardown_user);
	tcase_add_test(places, without_any_file_a_user_has_a_pool_of_its_own);
	tcase_add_test(places, a_user_has_files_below_xdg_directories);
	tcase_add_test(places, without_a_runtime_directory_a_user_is_told);
	tcase_add_test(places, root_has_the_places_of_the_system);
	tcase_add_test(places, a_service_uses_the_directories_it_was_given);
	tcase_add_test(places, the_command_line_decides_over_the_file);
	tcase_add_test(places, a_named_file_must_be_there);
	tcase_add_test(places, a_dangling_drop_in_is_no_silence);
	tcase_add_test(places, bytes_that_are_no_text_are_refused);
	suite_add_tcase(suite, places);

	return check_run(suite);
}
