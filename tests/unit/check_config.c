/* Configurations: what the defaults are, what files and drop-ins set, and that each broken one is
 * refused by file, line, key and value. */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/config_parse.h"
#include "tests/lib/check_run.h"
#include "tests/unit/config_case.h"

static const struct config_pool *pool(const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	ck_abort_msg("no pool %s", name);
	return NULL;
}

START_TEST(an_empty_file_gives_the_documented_defaults)
{
	struct rlimit nofile;
	const uint64_t *uid, *all;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	cpu_set_t cpus;

	load_good("");
	ck_assert_uint_eq(config->n_pools, 1);
	ck_assert_str_eq(config->pools[0].name, "default");
	ck_assert_int_eq(config->pools[0].handler, HANDLER_EXEC);
	ck_assert(!config->pools[0].allow.everybody);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	ck_assert_uint_eq(config->pools[0].workers, CPU_COUNT(&cpus));
	ck_assert_uint_eq(config->pools[0].ahead, 2);
	ck_assert_uint_eq(config->pools[0].max_result_bytes, 64 << 20);
	ck_assert_uint_eq(config->pools[0].output_bytes, 16 << 20);
	ck_assert_uint_eq(config->pools[0].grace_us, 5000000);
	ck_assert_uint_eq(config->pools[0].timeout_us, 0);
	ck_assert_str_eq(config->pools[0].cwd, "/");
	ck_assert_ptr_null(config->pools[0].env);

	ck_assert_uint_eq(config->stop_timeout_us, 10000000);
	ck_assert_uint_eq(config->ttl_us, 3600000000);
	ck_assert_int_eq(config->log_level, LOG_INFO);
	ck_assert_ptr_null(config->socket_group);
	ck_assert_uint_eq(config->socket_gid, (gid_t)-1);
	ck_assert_uint_eq(config->admin_gid, (gid_t)-1);
	ck_assert_int_eq(config->worker[0], '/');
	ck_assert_int_eq(config->module_dir[0], '/');

	uid = config->limits.uid.n;
	all = config->limits.all.n;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &nofile), 0);
	ck_assert_uint_eq(uid[ACCOUNT_JOBS], 1000000);
	ck_assert_uint_eq(uid[ACCOUNT_FUTURES], 2000000);
	ck_assert_uint_eq(uid[ACCOUNT_WAITS], 2000000);
	ck_assert_uint_eq(uid[ACCOUNT_BYTES], memory / 2);
	ck_assert_uint_eq(all[ACCOUNT_BYTES], memory / 4 * 3);
	ck_assert_uint_gt(all[ACCOUNT_FDS], uid[ACCOUNT_FDS]);
	ck_assert_uint_le(all[ACCOUNT_FDS] + all[ACCOUNT_CONNECTIONS], nofile.rlim_max);
	for (int i = 0; i < _ACCOUNT_KIND_MAX; i++) {
		ck_assert_uint_ge(uid[i], 1);
		ck_assert_uint_ge(all[i], uid[i]);
	}
}
END_TEST

START_TEST(every_key_sets_its_member)
{
	const struct config_pool *p;
	char text[1024];

	folder_write(&folder, "mine.so", "");
	snprintf(text, sizeof(text),
		"; comment\n# comment\n\n[daemon]\nsocket = /a/b\nsocket_mode = 0666\nsocket_group "
		"= 0\n"
		"state_dir=/s t\nadmin_group = 4242\nworker = /bin/sh\nmodule_dir = %s\n"
		"log_level = debug\nstop_timeout = 0\nttl = 2d\n"
		"[limits]\njobs = 1\nfutures = 2\nbytes = 3K\nfds = 4\nconnections = 5\nwaits = 6\n"
		"total_jobs = 7\ntotal_futures = 8\ntotal_bytes = 9MiB\ntotal_fds = 10\n"
		"total_connections = 11\ntotal_waits = 12\n",
		folder.path);
	strcat(text,
		"[pool m.0-_x] ; comment\nhandler = module\nmodule = mine\nworkers = 3\nahead = 0\n"
		"max_result = 1G\noutput = 1\ngrace = 500ms\ntimeout = 1h30min\ncwd = /tmp\n"
		"env = A=1 2\nenv = B_2=x=y\nallow = root, 77 @0,owner\n");
	load_good(text);
	ck_assert_str_eq(config->socket, "/a/b");
	ck_assert_int_eq(config->socket_mode, 0666);
	ck_assert_uint_eq(config->socket_gid, 0);
	ck_assert_str_eq(config->state_dir, "/s t");
	ck_assert_str_eq(config->admin_group, "4242");
	ck_assert_uint_eq(config->admin_gid, 4242);
	ck_assert_str_eq(config->worker, "/bin/sh");
	ck_assert_str_eq(config->module_dir, folder.path);
	ck_assert_int_eq(config->log_level, LOG_DEBUG);
	ck_assert_uint_eq(config->stop_timeout_us, 0);
	ck_assert_uint_eq(config->ttl_us, 2 * 86400ull * 1000000);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_JOBS], 1);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_FUTURES], 2);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_BYTES], 3 << 10);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_FDS], 4);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_CONNECTIONS], 5);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_WAITS], 6);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_JOBS], 7);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_FUTURES], 8);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_BYTES], 9 << 20);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_FDS], 10);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_CONNECTIONS], 11);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_WAITS], 12);

	ck_assert_uint_eq(config->n_pools, 1);
	p = pool("m.0-_x");
	ck_assert_int_eq(p->handler, HANDLER_MODULE);
	ck_assert_str_eq(p->module, folder_at(&folder, "mine.so"));
	ck_assert_uint_eq(p->workers, 3);
	ck_assert_uint_eq(p->ahead, 0);
	ck_assert_uint_eq(p->max_result_bytes, 1 << 30);
	ck_assert_uint_eq(p->output_bytes, 1);
	ck_assert_uint_eq(p->grace_us, 500000);
	ck_assert_uint_eq(p->timeout_us, 5400000000);
	ck_assert_str_eq(p->cwd, "/tmp");
	ck_assert_str_eq(p->env[0], "A=1 2");
	ck_assert_str_eq(p->env[1], "B_2=x=y");
	ck_assert_ptr_null(p->env[2]);
	ck_assert(!p->allow.everybody);
	ck_assert_uint_eq(p->allow.n_uids, 2);
	ck_assert_uint_eq(p->allow.uids[0], 0);
	ck_assert_uint_eq(p->allow.uids[1], 77);
	ck_assert_uint_eq(p->allow.n_gids, 1);
	ck_assert_uint_eq(p->allow.gids[0], 0);
}
END_TEST

START_TEST(the_layout_of_a_file_is_free)
{
	load_good("\xef\xbb\xbf[pool a]\r\n\thandler=exec   ; why not\r\n    workers =   7\r\n"
		  "  [ pool   b ]  # more\r\n  handler: exec\r\n\r\n;[pool c]\n[daemon]");
	ck_assert_uint_eq(config->n_pools, 2);
	ck_assert_uint_eq(pool("a")->workers, 7);
	ck_assert_int_eq(pool("b")->handler, HANDLER_EXEC);
}
END_TEST

START_TEST(a_module_may_be_a_path_and_is_open_to_all)
{
	char text[256];

	folder_write(&folder, "here.so", "");
	snprintf(text, sizeof(text), "[pool m]\nhandler = module\nmodule = %s\n",
		folder_at(&folder, "here.so"));
	load_good(text);
	ck_assert_str_eq(pool("m")->module, folder_at(&folder, "here.so"));
	ck_assert(pool("m")->allow.everybody);
	strcat(text, "allow = owner\n");
	load_good(text);
	ck_assert(!pool("m")->allow.everybody);
	load_good("[pool x]\nhandler = exec\nallow = all");
	ck_assert(pool("x")->allow.everybody);
}
END_TEST

START_TEST(drop_ins_add_and_override_in_the_order_of_their_names)
{
	folder_write(&folder, "p.conf",
		"[limits]\njobs = 1\nwaits = 1\n[pool a]\nhandler = exec\nworkers = 1\nenv = A=1\n"
		"env = B=1\nallow = 5 6\n");
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf.d"), 0700), 0);
	folder_write(&folder, "p.conf.d/20.conf",
		"[pool a]\nworkers = 20\nallow = 7\n[limits]\njobs=20");
	folder_write(&folder, "p.conf.d/10.conf",
		"[limits]\njobs = 10\nwaits = 10\n[pool a]\nworkers = 10\nenv = B=2\nenv = C=2\n"
		"[pool b]\nhandler = exec");
	folder_write(&folder, "p.conf.d/99.conf.off", "broken");
	folder_write(&folder, "p.conf.d/.99.conf", "broken");
	folder_write(&folder, "p.conf.d/README", "broken");
	ck_assert_int_eq(symlink("/dev/null", folder_at(&folder, "p.conf.d/30.conf")), 0);
	if (load(NULL) != 0)
		ck_abort_msg("%s:%d: %s", error.file, error.line, error.message);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_JOBS], 20);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_WAITS], 10);
	ck_assert_uint_eq(config->n_pools, 2);
	ck_assert_uint_eq(pool("a")->workers, 20);
	ck_assert_str_eq(pool("a")->env[0], "A=1");
	ck_assert_str_eq(pool("a")->env[1], "B=2");
	ck_assert_str_eq(pool("a")->env[2], "C=2");
	ck_assert_ptr_null(pool("a")->env[3]);
	ck_assert_uint_eq(pool("a")->allow.n_uids, 1);
	ck_assert_uint_eq(pool("a")->allow.uids[0], 7);
	ck_assert_str_eq(config->pools[1].name, "b");

	folder_write(&folder, "p.conf.d/40.conf", "[pool a]\nenv =\nenv = D=4\n");
	ck_assert_int_eq(load(NULL), 0);
	ck_assert_str_eq(pool("a")->env[0], "D=4");
	ck_assert_ptr_null(pool("a")->env[1]);

	folder_write(&folder, "p.conf.d/50.conf", "[pool a]\n\nworkers = none\n");
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_str_eq(error.file, folder_at(&folder, "p.conf.d/50.conf"));
	ck_assert_int_eq(error.line, 3);
}
END_TEST

START_TEST(a_total_follows_a_larger_limit_of_a_uid)
{
	load_good("[limits]\njobs = 5000000\nwaits = 300000\nfutures = 9000000\n");
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_JOBS], 5000000);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_WAITS], 300000);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_FUTURES], 9000000);
	load_good("[limits]\ntotal_connections = 3\n");
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_CONNECTIONS], 3);
}
END_TEST

/* ---- places ---- */

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

	config = config_free(config);
	error = (struct config_error){0};
	return config_load(&o, &config, &error);
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

/* ---- the table ---- */

START_TEST(the_table_of_keys_is_in_order)
{
	for (unsigned i = 0; i < ARRAY_SIZE(config_keys); i++) {
		const struct config_key *k = &config_keys[i];

		ck_assert_ptr_eq(config_key_find(k->section, k->name), k);
		ck_assert_ptr_eq(config_key_nearest(k->section, k->name), k);
		ck_assert_str_ne(k->fallback, "");
		ck_assert_str_ne(k->doc, "");
		ck_assert_ptr_null(strchr(k->doc, '\n'));
		/* Another section with the same name would make "belongs into" ambiguous. */
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(config_keys[j].name, k->name);
	}
}
END_TEST

START_TEST(the_nearest_key_is_what_a_slip_meant)
{
	static const char *const slips[][2] = {
		{"handel", "handler"},
		{"moduel", "module"},
		{"worker", "workers"},
		{"max_reslut", "max_result"},
		{"time_out", "timeout"},
		{"allows", "allow"},
		{"enviro", "env"},
	};
	char endless[1000];

	for (unsigned i = 0; i < ARRAY_SIZE(slips); i++)
		ck_assert_str_eq(config_key_nearest(SECTION_POOL, slips[i][0])->name, slips[i][1]);
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	ck_assert_ptr_nonnull(config_key_nearest(SECTION_POOL, endless));
	ck_assert_ptr_nonnull(config_key_nearest(SECTION_POOL, ""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *values = tcase_create("values"), *places = tcase_create("places");
	TCase *table = tcase_create("table");

	tcase_add_checked_fixture(values, setup, teardown);
	tcase_add_test(values, an_empty_file_gives_the_documented_defaults);
	tcase_add_test(values, every_key_sets_its_member);
	tcase_add_test(values, the_layout_of_a_file_is_free);
	tcase_add_test(values, a_module_may_be_a_path_and_is_open_to_all);
	tcase_add_test(values, drop_ins_add_and_override_in_the_order_of_their_names);
	tcase_add_test(values, a_total_follows_a_larger_limit_of_a_uid);
	suite_add_tcase(suite, values);

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

	tcase_add_test(table, the_table_of_keys_is_in_order);
	tcase_add_test(table, the_nearest_key_is_what_a_slip_meant);
	suite_add_tcase(suite, table);
	return check_run(suite);
}
