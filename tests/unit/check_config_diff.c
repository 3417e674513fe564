/* What another configuration changes, and how: key by key, each of them. */
#include <stdio.h>
#include <unistd.h>

#include "daemon/config_diff.h"
#include "daemon/config_parse.h"
#include "tests/unit/config_case.h"

#define POOL "handler = module\nmodule = mine\nsizing = dynamic\n"

/* They have an effect without other processes. Every other key of a pool restarts it, also one that
 * is added to config.def and not named anywhere. */
static const char *const in_place[] = {"admin_group", "module_dir", "log_level", "stop_timeout",
	"busy_poll", "ttl", "workers", "standby", "sizing", "min_spare", "max_spare",
	"idle_timeout", "spawn_rate", "max_jobs", "max_age", "max_rss", "ahead", "ageing",
	"max_result", "grace", "timeout", "poison", "start_timeout", "memory_max", "allow"};

static const char *const of_size[] = {"workers", "sizing", "min_spare", "max_spare"};

/* Another value than the one that it has else. */
static const struct sample {
	const char *key, *value;
} samples[] = {{"socket", "/a/b"}, {"socket_mode", "0606"}, {"socket_group", "0"},
	{"state_dir", "/s"}, {"admin_group", "4242"}, {"worker", "/bin/sh"}, {"module_dir", "/"},
	{"cgroup", "/tmp"}, {"log_level", "debug"}, {"stop_timeout", "0"}, {"busy_poll", "20us"},
	{"ttl", "2d"}, {"jobs", "1"}, {"futures", "2"}, {"bytes", "3K"}, {"fds", "4"},
	{"connections", "5"}, {"waits", "6"}, {"total_jobs", "7"}, {"total_futures", "8"},
	{"total_bytes", "9M"}, {"total_fds", "10"}, {"total_connections", "11"},
	{"total_waits", "12"}, {"workers", "77"}, {"standby", "1"}, {"min_spare", "2"},
	{"max_spare", "3"}, {"idle_timeout", "2s"}, {"spawn_rate", "5"}, {"max_jobs", "6"},
	{"max_age", "1d"}, {"max_rss", "7M"}, {"ahead", "0"}, {"ageing", "0"}, {"max_result", "1G"},
	{"output", "1"}, {"cache", "0"}, {"grace", "500ms"}, {"timeout", "1h"}, {"poison", "9"},
	{"start_timeout", "7s"}, {"cwd", "/tmp"}, {"env", "A=1"}, {"memory_max", "2M"},
	{"user", "nobody"}, {"nice", "3"}, {"cpu_affinity", "0"}, {"limit_as", "1"},
	{"limit_core", "0"}, {"limit_cpu", "3"}, {"limit_data", "4"}, {"limit_fsize", "5K"},
	{"limit_memlock", "6"}, {"limit_nofile", "7"}, {"limit_nproc", "8"},
	{"limit_stack", "infinity"}, {"allow", "root, 77"}};

static struct config *before;
static struct config_diff diff;

static void set_up(void)
{
	setup();
	write_module("mine.so");
	write_module("other.so");
}

static void tear_down(void)
{
	config_diff_deinit(&diff);
	before = config_free(before);
	teardown();
}

/* What these lines in their sections make. */
static void load_with(const char *daemon, const char *limits, const char *pools)
{
	char text[2048];
	bool is_elsewhere = strstr(daemon, "module_dir");

	snprintf(text, sizeof(text), "[daemon]\n%s%s%s\n%s\n[limits]\n%s\n%s\n",
		is_elsewhere ? "" : "module_dir = ", is_elsewhere ? "" : folder.path,
		strstr(daemon, "socket =") ? "" : "\nsocket = /run/s", daemon, limits, pools);
	load_good(text);
}

static void compare(void)
{
	config_diff_deinit(&diff);
	ck_assert_int_eq(config_diff_init(&diff, before, config), 0);
}

/* From the first to the second. */
static void compare_pools(const char *first, const char *second)
{
	before = config_free(before);
	load_with("", "", first);
	before = take_ptr(config);
	load_with("", "", second);
	compare();
}

static bool has(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static const char *value_of(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (strcmp(samples[i].key, key) == 0)
			return samples[i].value;
	ck_abort_msg("no other value is known for %s", key);
	return NULL;
}

static enum config_pool_fate fate_of(const char *name)
{
	for (size_t i = 0; i < diff.n_pools; i++)
		if (strcmp(diff.pools[i].name, name) == 0)
			return diff.pools[i].fate;
	ck_abort_msg("nothing is said of pool %s", name);
	return _CONFIG_POOL_FATE_MAX;
}

/* ---- keys ---- */

static void try_key_of_pool(const struct config_key *k)
{
	bool is_in_place = has(in_place, ARRAY_SIZE(in_place), k->name);
	char text[512];

	switch (k - config_keys) {
	case KEY_POOL_handler: /* then there is no module either */
		snprintf(text, sizeof(text), "[pool p]\nhandler = exec\nsizing = dynamic\n");
		break;
	case KEY_POOL_module:
		snprintf(text, sizeof(text),
			"[pool p]\nhandler = module\nmodule = other\nsizing = dynamic\n");
		break;
	case KEY_POOL_sizing:
		snprintf(text, sizeof(text), "[pool p]\nhandler = module\nmodule = mine\n");
		break;
	default:
		snprintf(text, sizeof(text), "[pool p]\n" POOL "%s = %s\n", k->name,
			value_of(k->name));
	}
	compare_pools("[pool p]\n" POOL, text);
	ck_assert_msg(fate_of("p") == (is_in_place ? CONFIG_POOL_CHANGED : CONFIG_POOL_RESTARTED),
		"%s: the pool is %s", k->name, config_pool_fate_name(fate_of("p")));
	ck_assert_msg(diff.pools[0].is_resized == has(of_size, ARRAY_SIZE(of_size), k->name),
		"%s: resized, or not", k->name);
	ck_assert_uint_eq(diff.now.n + diff.at_restart.n, 0);
	/* And back. */
	compare_pools(text, "[pool p]\n" POOL);
	ck_assert_int_eq(fate_of("p"), is_in_place ? CONFIG_POOL_CHANGED : CONFIG_POOL_RESTARTED);
}

START_TEST(each_key_of_a_pool_restarts_it_or_has_its_effect_in_place)
{
	for (size_t i = 0; i < _CONFIG_KEY_MAX; i++)
		if (config_keys[i].section == SECTION_POOL &&
			(i != KEY_POOL_user || geteuid() == 0))
			try_key_of_pool(&config_keys[i]);
}
END_TEST

static void try_key(const struct config_key *k)
{
	bool is_limit = k->section == SECTION_LIMITS, is_worker = strcmp(k->name, "worker") == 0;
	bool is_now = is_limit || is_worker || has(in_place, ARRAY_SIZE(in_place), k->name);
	const struct config_diff_keys *named = is_now ? &diff.now : &diff.at_restart;
	char line[256];

	snprintf(line, sizeof(line), "%s = %s", k->name, value_of(k->name));
	before = config_free(before);
	load_with("", "", "[pool p]\nhandler = exec\n");
	before = take_ptr(config);
	load_with(is_limit ? "" : line, is_limit ? line : "", "[pool p]\nhandler = exec\n");
	compare();
	ck_assert_msg(has(named->names, named->n, k->name), "%s is not named", k->name);
	ck_assert_msg(
		(is_now ? &diff.at_restart : &diff.now)->n == 0, "%s takes others along", k->name);
	ck_assert_msg(fate_of("p") == (is_worker ? CONFIG_POOL_RESTARTED : CONFIG_POOL_UNCHANGED),
		"%s: the pool is %s", k->name, config_pool_fate_name(fate_of("p")));
}

START_TEST(each_key_of_the_daemon_has_an_effect_at_once_or_at_its_restart)
{
	for (size_t i = 0; i < _CONFIG_KEY_MAX; i++)
		if (config_keys[i].section != SECTION_POOL)
			try_key(&config_keys[i]);
}
END_TEST

START_TEST(what_takes_a_restart_stays_as_it_runs)
{
	load_with("", "", "[pool p]\nhandler = exec\n");
	before = take_ptr(config);
	load_with("socket_mode = 0606\nstate_dir = /s\nttl = 2d", "jobs = 3",
		"[pool p]\nhandler = exec\n");
	config_keep_running(config, before);
	compare();
	ck_assert_int_ne(config->socket_mode, 0606);
	ck_assert_str_ne(config->state_dir, "/s");
	ck_assert_int_eq(before->socket_mode, 0606);
	ck_assert_str_eq(before->state_dir, "/s");
	ck_assert_uint_eq(diff.now.n, 2);
	ck_assert_uint_eq(config->ttl_us, 2 * 86400ull * 1000000);
	ck_assert_uint_eq(config->limits.uid.n[ACCOUNT_JOBS], 3);
}
END_TEST

/* ---- pools ---- */

START_TEST(the_same_in_other_words_is_no_difference)
{
	compare_pools("[pool p]\n" POOL
		      "timeout = 60s\nenv = A=1\nallow = root,0\n[pool q]\nhandler = "
		      "exec\n",
		"; words\n[pool q]\nahead = 256\nhandler = exec\n[pool p]\nallow = root 0\ntimeout "
		"= "
		"1min\nenv = A=1\n" POOL);
	ck_assert_uint_eq(diff.n_pools, 2);
	ck_assert_int_eq(fate_of("p"), CONFIG_POOL_UNCHANGED);
	ck_assert_int_eq(fate_of("q"), CONFIG_POOL_UNCHANGED);
	ck_assert_uint_eq(diff.now.n + diff.at_restart.n, 0);
}
END_TEST

START_TEST(the_order_of_lists_and_their_length_count)
{
	compare_pools("[pool p]\n" POOL "env = A=1\n", "[pool p]\n" POOL "env = A=1\nenv = B=2\n");
	ck_assert_int_eq(fate_of("p"), CONFIG_POOL_RESTARTED);
	compare_pools("[pool p]\n" POOL "allow = 7\n", "[pool p]\n" POOL "allow = @7\n");
	ck_assert_int_eq(fate_of("p"), CONFIG_POOL_CHANGED);
	compare_pools("[pool p]\n" POOL "allow = 7\n", "[pool p]\n" POOL "allow = 7, 8\n");
	ck_assert_int_eq(fate_of("p"), CONFIG_POOL_CHANGED);
}
END_TEST

START_TEST(pools_come_and_go_by_their_names)
{
	compare_pools("[pool a]\nhandler = exec\n[pool b]\nhandler = exec\n",
		"[pool b]\nhandler = exec\nahead = 1\n[pool c]\nhandler = exec\n");
	ck_assert_uint_eq(diff.n_pools, 3);
	ck_assert_str_eq(diff.pools[0].name, "b");
	ck_assert_str_eq(diff.pools[1].name, "c");
	ck_assert_str_eq(diff.pools[2].name, "a");
	ck_assert_int_eq(fate_of("a"), CONFIG_POOL_REMOVED);
	ck_assert_ptr_null(diff.pools[2].next);
	ck_assert_int_eq(fate_of("b"), CONFIG_POOL_CHANGED);
	ck_assert_int_eq(fate_of("c"), CONFIG_POOL_ADDED);
	ck_assert_ptr_null(diff.pools[1].old);

	ck_assert(config_diff_restart(&diff, "b"));
	ck_assert_int_eq(fate_of("b"), CONFIG_POOL_RESTARTED);
	/* It gets its processes anyway. */
	ck_assert(config_diff_restart(&diff, "c"));
	ck_assert_int_eq(fate_of("c"), CONFIG_POOL_ADDED);
	ck_assert(!config_diff_restart(&diff, "a"));
	ck_assert(!config_diff_restart(&diff, "d"));
}
END_TEST

START_TEST(another_file_of_the_module_restarts_its_pool)
{
	load_with("", "", "[pool p]\n" POOL "[pool q]\nhandler = module\nmodule = other\n");
	before = take_ptr(config);
	write_module("new");
	ck_assert_int_eq(rename(folder_at(&folder, "new"), folder_at(&folder, "mine.so")), 0);
	load_with("", "", "[pool p]\n" POOL "[pool q]\nhandler = module\nmodule = other\n");
	compare();
	ck_assert_int_eq(fate_of("p"), CONFIG_POOL_RESTARTED);
	ck_assert_int_eq(fate_of("q"), CONFIG_POOL_UNCHANGED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_diff");
	TCase *keys = tcase_create("keys");
	TCase *pools = tcase_create("pools");

	tcase_add_checked_fixture(keys, set_up, tear_down);
	tcase_add_test(keys, each_key_of_a_pool_restarts_it_or_has_its_effect_in_place);
	tcase_add_test(keys, each_key_of_the_daemon_has_an_effect_at_once_or_at_its_restart);
	tcase_add_test(keys, what_takes_a_restart_stays_as_it_runs);
	suite_add_tcase(suite, keys);

	tcase_add_checked_fixture(pools, set_up, tear_down);
	tcase_add_test(pools, the_same_in_other_words_is_no_difference);
	tcase_add_test(pools, the_order_of_lists_and_their_length_count);
	tcase_add_test(pools, pools_come_and_go_by_their_names);
	tcase_add_test(pools, another_file_of_the_module_restarts_its_pool);
	suite_add_tcase(suite, pools);
	return check_run(suite);
}
