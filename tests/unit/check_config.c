/* Configurations: what the defaults are, what files and drop-ins set, and that each broken one is
 * refused by file, line, key and value. */
#include "daemon/config.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/config_parse.h"
#include "tests/lib/check_run.h"
#include "tests/lib/capture.h"
#include "tests/unit/config_case.h"

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
	ck_assert_uint_eq(config->pools[0].ahead, 256);
	ck_assert_int_eq(config->pools[0].sizing, SIZING_STATIC);
	ck_assert_uint_eq(config->pools[0].spawn_rate, 100);
	ck_assert_uint_eq(config->pools[0].max_jobs, 0);
	ck_assert_uint_eq(config->pools[0].ageing_us, 60000000);
	ck_assert_uint_eq(config->pools[0].max_result_bytes, 64 << 20);
	ck_assert_uint_eq(config->pools[0].output_bytes, 16 << 20);
	ck_assert_uint_eq(config->pools[0].grace_us, 5000000);
	ck_assert_uint_eq(config->pools[0].timeout_us, 0);
	ck_assert_str_eq(config->pools[0].cwd, "/");
	ck_assert_ptr_null(config->pools[0].env);

	ck_assert_uint_eq(config->stop_timeout_us, 10000000);
	ck_assert_uint_eq(config->ttl_us, 3600000000);
	ck_assert_uint_eq(config->busy_poll_us, 50);
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
	char text[2048];

	write_module("mine.so");
	snprintf(text, sizeof(text),
		"; comment\n# comment\n\n[daemon]\nsocket = /a/b\nsocket_mode = 0666\nsocket_group "
		"= 0\n"
		"state_dir=/s t\nadmin_group = 4242\nworker = /bin/sh\nmodule_dir = %s\n"
		"cgroup = /tmp\nlog_level = debug\nstop_timeout = 0\nbusy_poll = 1ms\nttl = 2d\n"
		"[limits]\njobs = 1\nfutures = 2\nbytes = 3K\nfds = 4\nconnections = 5\nwaits = 6\n"
		"total_jobs = 7\ntotal_futures = 8\ntotal_bytes = 9MiB\ntotal_fds = 10\n"
		"total_connections = 11\ntotal_waits = 12\n",
		folder.path);
	strcat(text, "[pool m.0-_x] ; comment\nhandler = module\nmodule = mine\nworkers = 3\nahead "
		     "= 0\nageing = 0\npoison = 9\n"
		     "max_result = 1G\noutput = 1\ncache = 0\ngrace = 500ms\nstart_timeout = "
		     "7s\ntimeout = "
		     "1h30min\ncwd = /tmp\n"
		     "env = A=1 2\nenv = B_2=x=y\nallow = root, 77 @0,owner\n");
	strcat(text,
		"nice = -3\ncpu_affinity = 0-1023\nlimit_as = 1\nlimit_core = 0\n"
		"limit_cpu = 3\nlimit_data = 4\nlimit_fsize = 5K\nlimit_memlock = 6\n"
		"memory_max = 2M\nlimit_nofile = 7\nlimit_nproc = 8\nlimit_stack = infinity\n");
	strcat(text, geteuid() == 0 ? "user = root\n" : "; user = root\n");
	strcat(text, "standby = 2\nsizing = dynamic\nmin_spare = 1\nmax_spare = 3\nidle_timeout = "
		     "2s\nspawn_rate = "
		     "5\nmax_jobs = 6\nmax_age = 1d\nmax_rss = 7M\n");
	for (unsigned i = 0; i < ARRAY_SIZE(config_keys); i++)
		ck_assert_msg(
			strstr(text, config_keys[i].name), "not tried: %s", config_keys[i].name);
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
	ck_assert_uint_eq(config->busy_poll_us, 1000);
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
	ck_assert_uint_eq(p->standby, 2);
	ck_assert_int_eq(p->sizing, SIZING_DYNAMIC);
	ck_assert_uint_eq(p->min_spare, 1);
	ck_assert_uint_eq(p->max_spare, 3);
	ck_assert_uint_eq(p->idle_us, 2000000);
	ck_assert_uint_eq(p->spawn_rate, 5);
	ck_assert_uint_eq(p->max_jobs, 6);
	ck_assert_uint_eq(p->max_age_us, 86400000000);
	ck_assert_uint_eq(p->max_rss_bytes, 7 << 20);
	ck_assert_uint_eq(p->ahead, 0);
	ck_assert_uint_eq(p->ageing_us, 0);
	ck_assert_uint_eq(p->poison, 9);
	ck_assert_uint_eq(p->max_result_bytes, 1 << 30);
	ck_assert_uint_eq(p->output_bytes, 1);
	ck_assert_uint_eq(p->grace_us, 500000);
	ck_assert_uint_eq(p->timeout_us, 5400000000);
	ck_assert_uint_eq(p->start_timeout_us, 7000000);
	ck_assert_str_eq(p->cwd, "/tmp");
	ck_assert_int_eq(p->nice, CONFIG_NICE_OFFSET - 3);
	ck_assert_str_eq(p->cpu_affinity, "0-1023");
	ck_assert_uint_eq(p->limits[CONFIG_LIMIT_core], 1);
	ck_assert_uint_eq(p->limits[CONFIG_LIMIT_fsize], (5 << 10) + 1);
	ck_assert_uint_eq(p->limits[CONFIG_LIMIT_stack], UINT64_MAX);
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

	write_module("here.so");
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
	load_good("[limits]\njobs = 5000000\nwaits = 9000000\nfutures = 9000000\n");
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_JOBS], 5000000);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_WAITS], 9000000);
	ck_assert_uint_eq(config->limits.all.n[ACCOUNT_FUTURES], 9000000);
	load_good("[limits]\ntotal_connections = 3\n");
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_CONNECTIONS], 3);
}
END_TEST

START_TEST(an_admin_group_that_is_missing_has_no_members)
{
	capture_start();
	load_good("[daemon]\n\nadmin_group = no-such-group-here\n");
	ck_assert_uint_eq(config->admin_gid, (gid_t)-1);
	ck_assert_ptr_nonnull(strstr(capture_read(), "p.conf:3: admin_group = no-such-group-here"));
	capture_end();
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
	TCase *values = tcase_create("values");
	TCase *table = tcase_create("table");

	tcase_add_checked_fixture(values, setup, teardown);
	tcase_add_test(values, an_empty_file_gives_the_documented_defaults);
	tcase_add_test(values, every_key_sets_its_member);
	tcase_add_test(values, the_layout_of_a_file_is_free);
	tcase_add_test(values, a_module_may_be_a_path_and_is_open_to_all);
	tcase_add_test(values, drop_ins_add_and_override_in_the_order_of_their_names);
	tcase_add_test(values, a_total_follows_a_larger_limit_of_a_uid);
	tcase_add_test(values, an_admin_group_that_is_missing_has_no_members);
	suite_add_tcase(suite, values);

	tcase_add_test(table, the_table_of_keys_is_in_order);
	tcase_add_test(table, the_nearest_key_is_what_a_slip_meant);
	suite_add_tcase(suite, table);
	return check_run(suite);
}
