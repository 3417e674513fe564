/* The zygote: setup, refusals, workers that become the daemon's children, ends. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/lib/check_run.h"
#include "tests/unit/worker_peer.h"

/* setup with a module that is refused: the zygote says why and exits with 1. */
static void refuse(const char *path, const char *code, const char *text)
{
	struct peer z;
	struct reply r;

	peer_start(&z);
	peer_add(&z, "[iis[{ssssss}]]", 0, 1, "setup", "pool", "proof", "handler", "module",
		"module", path);
	peer_send(&z, NULL, 0);
	r = peer_receive(&z);
	ck_assert_str_eq(r.word, code);
	ck_assert_msg(strstr(r.message, text), "%s", r.message);
	ck_assert_msg(strstr(r.message, path), "%s", r.message);
	peer_forget(&r);
	peer_expect_end_of_file(&z);
	ck_assert_int_eq(peer_await_end(&z), W_EXITCODE(1, 0));
}

static void refuse_built(const char *name, const char *text)
{
	char *path = peer_module_path(name);

	refuse(path, "bad_module", text);
	free(path);
}

START_TEST(a_module_that_is_not_there_is_refused)
{
	refuse("/nowhere/at/all.so", "bad_module", "cannot open");
}
END_TEST

START_TEST(modules_with_a_bad_table_are_refused)
{
	refuse_built("bad_symbol", "does not export poold_module");
	refuse_built("bad_abi", "version 2 of the module interface");
	refuse_built("bad_no_functions", "no functions");
	refuse_built("bad_function_name", "\"no thing\" is no name");
	refuse_built("bad_function_twice", "two functions have the name nothing");
	refuse_built("bad_function_doc", "function nothing has no doc");
	refuse_built("bad_function_flags", "unknown flags (0x80)");
}
END_TEST

START_TEST(modules_that_start_a_thread_are_refused)
{
	refuse_built("bad_thread_at_load", "started a thread while it was loaded");
	refuse_built("bad_thread_in_preload", "started a thread in preload");
}
END_TEST

START_TEST(a_preload_that_fails_is_told)
{
	refuse_built("bad_preload_fails", "preload failed: Not a directory");
}
END_TEST

START_TEST(a_preload_that_aborts_ends_the_zygote)
{
	char *path = peer_module_path("bad_preload_aborts");
	struct peer z;
	int status;

	peer_start(&z);
	peer_add(&z, "[iis[{ssssss}]]", 0, 1, "setup", "pool", "proof", "handler", "module",
		"module", path);
	peer_send(&z, NULL, 0);
	peer_expect_end_of_file(&z);
	status = peer_await_end(&z);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	free(path);
}
END_TEST

/* Stopped until the daemon has gone, so that its answer finds nobody. */
START_TEST(a_daemon_that_goes_during_setup_is_no_failure)
{
	struct peer z;

	peer_start(&z);
	kill(z.pid, SIGSTOP);
	ck_assert_int_eq(waitpid(z.pid, NULL, WUNTRACED), z.pid);
	peer_add(&z, "[iis[{ssssss}]]", 0, 1, "setup", "pool", "proof", "handler", "exec", "cwd",
		"/");
	peer_send(&z, NULL, 0);
	z.fd = fd_close(z.fd);
	kill(z.pid, SIGCONT);
	peer_end(&z);
}
END_TEST

static void refuse_setup(const char *text, struct buf *map)
{
	struct peer z;
	struct reply r;

	peer_start(&z);
	peer_add(&z, "[iis[r]]", 0, 1, "setup", buf_head(map), buf_used(map));
	peer_send(&z, NULL, 0);
	r = peer_receive(&z);
	ck_assert_str_eq(r.word, "bad_request");
	ck_assert_msg(strstr(r.message, text), "%s", r.message);
	peer_forget(&r);
	ck_assert_int_eq(peer_await_end(&z), W_EXITCODE(1, 0));
	buf_clear(map);
}

START_TEST(a_setup_that_is_wrong_is_refused)
{
	struct buf map = BUF_INIT(4096);

	literal_pack(&map, "i", 7);
	refuse_setup("is a map", &map);
	literal_pack(&map, "{ssss}", "pool", "p", "handler", "magic");
	refuse_setup("handler has no valid value", &map);
	literal_pack(&map, "{ssss}", "pool", "p", "handler", "module");
	refuse_setup("module is missing", &map);
	literal_pack(&map, "{ss}", "handler", "exec");
	refuse_setup("pool is missing", &map);
	literal_pack(&map, "{ssssss}", "pool", "p", "handler", "exec", "cwd", "/nowhere/at/all");
	refuse_setup("cwd: /nowhere/at/all", &map);
	literal_pack(&map, "{sssss[s]}", "pool", "p", "handler", "exec", "env", "NOTHING");
	refuse_setup("not NAME=VALUE", &map);
	buf_deinit(&map);
}
END_TEST

START_TEST(requests_out_of_turn_are_refused)
{
	struct reply r;
	struct peer z;

	peer_start(&z);
	peer_add(&z, "[iis[]]", 0, 3, "fork");
	peer_send(&z, NULL, 0);
	peer_expect_error(&z, 3, "bad_request");
	peer_add(&z, "[iis[]]", 0, 4, "dance");
	peer_send(&z, NULL, 0);
	peer_expect_error(&z, 4, "unknown_method");
	peer_add(&z, "[iis[{ssss}]]", 0, 5, "setup", "pool", "p", "handler", "exec");
	peer_add(&z, "[iis[{ssss}]]", 0, 6, "setup", "pool", "p", "handler", "exec");
	peer_send(&z, NULL, 0);
	r = peer_receive(&z);
	ck_assert_uint_eq(r.msgid, 5);
	ck_assert_ptr_nonnull(strstr(r.value,
		"{\"functions\": [{\"name\": \"exec\", \"flags\": [], \"doc\": \"Runs a command: "
		"an array of strings, or a map with argv and more.\"}], \"rss_kib\": "));
	peer_forget(&r);
	peer_expect_error(&z, 6, "bad_request");
	peer_end(&z);
}
END_TEST

START_TEST(setup_tells_the_functions)
{
	char *path = peer_module_path("digest");
	struct peer z;
	struct reply r;

	peer_start(&z);
	peer_add(&z, "[iis[{ssssss}]]", 0, 1, "setup", "pool", "p", "handler", "module", "module",
		path);
	peer_send(&z, NULL, 0);
	r = peer_receive(&z);
	ck_assert_ptr_nonnull(strstr(r.value, "{\"name\": \"sha256\", \"flags\": [\"pure\"], "
					      "\"doc\": \"Digest SHA2-256 of a byte string, in "
					      "hexadecimal.\"}"));
	peer_forget(&r);
	peer_end(&z);
	free(path);
}
END_TEST

START_TEST(workers_are_children_of_the_daemon)
{
	struct peer z, workers[4];

	peer_start_module(&z, "proof");
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		peer_fork(&z, &workers[i]);
	/* waitpid() finds only children; the zygote's end is not theirs */
	peer_end(&z);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		peer_end(&workers[i]);
}
END_TEST

START_TEST(preload_runs_once_init_and_fini_in_each_worker)
{
	char output[64] = {};
	struct peer z, w;
	struct reply r;

	peer_start_module(&z, "proof");
	peer_fork(&z, &w);
	peer_add(&w, "[iis[sn{sususussss}]]", 0, 1, "run", "about", "id", (uint64_t)1 << 52,
		"attempt", (uint64_t)3, "uid", (uint64_t)1000, "trace", "00-ab", "some",
		"future key");
	peer_send(&w, NULL, 0);
	r = peer_receive(&w);
	ck_assert_str_eq(r.value, "\"4503599627370496 3 1000 proof 00-ab 1 1\"");
	peer_forget(&r);
	w.fd = fd_close(w.fd);
	ck_assert_int_gt(read(w.output, output, sizeof(output) - 1), 0);
	ck_assert_str_eq(output, "fini was here\n");
	peer_end(&w);
	peer_end(&z);
}
END_TEST

/* What the zygote was given and what it started with are two things. */
START_TEST(environment_and_directory_are_those_of_setup)
{
	struct peer z, w;
	struct reply r;

	setenv("NOT_IN_SETUP", "1", 1);
	peer_start(&z);
	peer_add(&z, "[iis[{sssssss[sss]}]]", 0, 1, "setup", "pool", "p", "handler", "exec", "cwd",
		"/usr", "env", "PATH=/usr/bin:/bin", "A=b=c", "EMPTY=");
	peer_send(&z, NULL, 0);
	r = peer_receive(&z);
	ck_assert_str_eq(r.word, "");
	peer_forget(&r);
	peer_fork(&z, &w);
	r = peer_run(&w, "exec", "{ssst}", "argv",
		"pwd; echo $A $EMPTY ${EMPTY-unset} ${NOT_IN_SETUP-unset}", "shell", 1);
	ck_assert_str_eq(r.word, "output");
	peer_forget(&r);
	r = peer_receive(&w);
	ck_assert_msg(strstr(r.value, "b\"/usr\\x0ab=c unset\\x0a\""), "%s", r.value);
	peer_forget(&r);
	peer_end(&w);
	peer_end(&z);
}
END_TEST

START_TEST(zygote_and_workers_outlive_sigterm)
{
	struct peer z, w;

	peer_start_module(&z, "bench");
	kill(z.pid, SIGTERM);
	peer_fork(&z, &w);
	kill(w.pid, SIGTERM);
	peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "noop", "id", 1);
	peer_send(&w, NULL, 0);
	peer_expect_value(&w, 1, "nil");
	peer_end(&w);
	peer_end(&z);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("worker_zygote");
	TCase *t = tcase_create("zygote");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_module_that_is_not_there_is_refused);
	tcase_add_test(t, modules_with_a_bad_table_are_refused);
	tcase_add_test(t, modules_that_start_a_thread_are_refused);
	tcase_add_test(t, a_preload_that_fails_is_told);
	tcase_add_test(t, a_preload_that_aborts_ends_the_zygote);
	tcase_add_test(t, a_daemon_that_goes_during_setup_is_no_failure);
	tcase_add_test(t, a_setup_that_is_wrong_is_refused);
	tcase_add_test(t, requests_out_of_turn_are_refused);
	tcase_add_test(t, setup_tells_the_functions);
	tcase_add_test(t, workers_are_children_of_the_daemon);
	tcase_add_test(t, preload_runs_once_init_and_fini_in_each_worker);
	tcase_add_test(t, environment_and_directory_are_those_of_setup);
	tcase_add_test(t, zygote_and_workers_outlive_sigterm);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return check_run(suite());
}
