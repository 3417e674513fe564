/* What a map says and hears, item by item. */
#include <errno.h>

#include "client/poold-map.h"
#include "tests/unit/fake_daemon.h"

#define EACH "{\"deliver\": true, \"each\": true}"

static struct fake_daemon d;
static poold *p;
static poold_map *m;
static poold_map_item item = {.size = sizeof(item)};

static void start(const poold_map_options *options)
{
	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_map_new(p, "f", options, &m), 0);
}

static void stop(void)
{
	poold_map_free(m);
	poold_unref(p);
	fake_daemon_stop(&d);
}

static void add(unsigned n)
{
	static const char *const texts[] = {"a", "b", "c", "d", "e"};

	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(poold_map_add(m, poold_input_text(texts[i])), 0);
}

/* The end of the next item, which is there. */
static void expect(uint64_t index, poold_state state, const char *encoded, const char *code)
{
	ck_assert_int_eq(poold_map_next(m, POOLD_FOREVER, &item), 1);
	ck_assert_uint_eq(item.index, index);
	ck_assert_int_eq(item.state, state);
	if (encoded) {
		ck_assert_uint_eq(item.encoded_len, strlen(encoded));
		ck_assert_mem_eq(item.encoded, encoded, item.encoded_len);
	} else {
		ck_assert_ptr_null(item.encoded);
		ck_assert_str_eq(item.code, code);
	}
}

/* The next submit; what is released may be told before. Returns its msgid. */
static uint32_t expect_submit(const char *params)
{
	struct request r = fake_daemon_read(&d);
	uint32_t msgid;

	while (strcmp(r.method, "release") == 0) {
		request_forget(&r);
		r = fake_daemon_read(&d);
	}
	ck_assert_str_eq(r.method, "submit");
	ck_assert_str_eq(r.params, params);
	msgid = r.msgid;
	request_forget(&r);
	return msgid;
}

/* Sends what gathered. */
static void look(void)
{
	ck_assert_int_eq(poold_map_next(m, 0, &item), 0);
}

START_TEST(items_are_one_job)
{
	const poold_map_options options = {.size = sizeof(options), .chunk = 3};

	start(&options);
	add(5);
	look();
	ck_assert_uint_eq(expect_submit("[\"f\", [\"a\", \"b\", \"c\"], " EACH "]"), 2);
	/* the others wait for more, as long as these are under way */
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)7);
	fake_daemon_say(&d, "[is[us[iii]n{}]]", 2, "final", (uint64_t)7, "done", 1, 2, 3);
	expect(0, POOLD_DONE, "\1", NULL);
	expect(1, POOLD_DONE, "\2", NULL);
	expect(2, POOLD_DONE, "\3", NULL);
	look();
	ck_assert_uint_eq(expect_submit("[\"f\", [\"d\", \"e\"], " EACH "]"), 3);
	fake_daemon_say(&d, "[iinu]", 1, 3, (uint64_t)8);
	fake_daemon_say(&d, "[is[us[ii]n{}]]", 2, "final", (uint64_t)8, "done", 4, 5);
	expect(3, POOLD_DONE, "\4", NULL);
	expect(4, POOLD_DONE, "\5", NULL);
	ck_assert_int_eq(poold_map_next(m, POOLD_FOREVER, &item), -ENOENT);
	stop();
}
END_TEST

START_TEST(what_was_not_run_is_handed_in_again)
{
	const poold_map_options options = {.size = sizeof(options), .chunk = 5};

	start(&options);
	add(5);
	look();
	expect_submit("[\"f\", [\"a\", \"b\", \"c\", \"d\", \"e\"], " EACH "]");
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)7);
	fake_daemon_say(&d, "[is[usn[ss{sisssnsis[i]}]{}]]", 2, "final", (uint64_t)7, "failed",
		"failed", "It broke", "x", 0, "code", "c", "data", "index", 1, "results", 9);
	expect(0, POOLD_DONE, "\x09", NULL);
	expect(1, POOLD_FAILED, NULL, "failed");
	ck_assert_str_eq(item.message, "It broke");
	look();
	ck_assert_uint_eq(expect_submit("[\"f\", [\"c\", \"d\", \"e\"], " EACH "]"), 3);
	fake_daemon_say(&d, "[iinu]", 1, 3, (uint64_t)8);
	/* the first of them: one is left, and goes by itself */
	fake_daemon_say(&d, "[is[usn[ss{sis[i]}]{}]]", 2, "final", (uint64_t)8, "failed", "failed",
		"Again", "index", 1, "results", 3);
	expect(2, POOLD_DONE, "\3", NULL);
	expect(3, POOLD_FAILED, NULL, "failed");
	look();
	ck_assert_uint_eq(expect_submit("[\"f\", \"e\", {\"deliver\": true}]"), 4);
	fake_daemon_say(&d, "[iinu]", 1, 4, (uint64_t)9);
	fake_daemon_say(&d, "[is[us[i]n{}]]", 2, "final", (uint64_t)9, "done", 5);
	expect(4, POOLD_DONE, "\x91\5", NULL);
	stop();
}
END_TEST

/* What a daemon must not say costs nothing but the job. */
START_TEST(results_that_are_none_fail_all)
{
	const poold_map_options options = {.size = sizeof(options), .chunk = 3};

	start(&options);
	add(3);
	look();
	expect_submit("[\"f\", [\"a\", \"b\", \"c\"], " EACH "]");
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)7);
	if (_i == 0)
		fake_daemon_say(&d, "[is[us[ii]n{}]]", 2, "final", (uint64_t)7, "done", 1, 2);
	else if (_i == 1)
		fake_daemon_say(&d, "[is[usin{}]]", 2, "final", (uint64_t)7, "done", 1);
	else if (_i == 2)
		fake_daemon_say(&d, "[is[usn[ss{sis[iii]}]{}]]", 2, "final", (uint64_t)7, "failed",
			"bad_result", "", "index", 3, "results", 1, 2, 3);
	else
		fake_daemon_say(&d, "[is[usn[ss{sis[iii]}]{}]]", 2, "final", (uint64_t)7, "failed",
			"bad_result", "", "index", 1, "results", 1, 2, 3);
	for (unsigned i = 0; i < 3; i++)
		expect(i, POOLD_FAILED, NULL, "bad_result");
	ck_assert_int_eq(poold_map_next(m, POOLD_FOREVER, &item), -ENOENT);
	stop();
}
END_TEST

START_TEST(a_refusal_for_want_of_room_waits_for_others)
{
	const poold_map_options options = {.size = sizeof(options), .chunk = 1};

	start(&options);
	add(2);
	look();
	expect_submit("[\"f\", \"a\", {\"deliver\": true}]");
	add(1);
	ck_assert_int_eq(poold_map_next(m, 1, &item), 0);
	expect_submit("[\"f\", \"b\", {\"deliver\": true}]");
	expect_submit("[\"f\", \"a\", {\"deliver\": true}]");
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)7);
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 3, "quota", "too many");
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 4, "quota", "too many");
	fake_daemon_say(&d, "[is[usin{}]]", 2, "final", (uint64_t)7, "done", 1);
	expect(0, POOLD_DONE, "\1", NULL);
	look();
	/* one at a time */
	ck_assert_uint_eq(expect_submit("[\"f\", \"a\", {\"deliver\": true}]"), 5);
	stop();
}
END_TEST

START_TEST(a_lost_connection_ends_all)
{
	const poold_map_options options = {.size = sizeof(options), .chunk = 2};
	unsigned n = 0;
	int r;

	start(&options);
	add(5);
	look();
	expect_submit("[\"f\", [\"a\", \"b\"], " EACH "]");
	fake_daemon_hang_up(&d);
	while ((r = poold_map_next(m, POOLD_FOREVER, &item)) != -ENOENT) {
		if (r < 0)
			continue;
		ck_assert_int_eq(item.state, POOLD_DISCONNECTED);
		ck_assert_str_eq(item.code, "disconnected");
		ck_assert_uint_eq(item.index, n++);
	}
	ck_assert_uint_eq(n, 5);
	stop();
}
END_TEST

START_TEST(options_are_checked)
{
	poold_map_options options = POOLD_MAP_OPTIONS_INIT;
	poold_options job = POOLD_OPTIONS_INIT;
	poold_map *other;

	start(NULL);
	options.job = &job;
	job.key = "k";
	ck_assert_int_eq(poold_map_new(p, "f", &options, &other), -EINVAL);
	job.key = NULL;
	job.size = 0;
	ck_assert_int_eq(poold_map_new(p, "f", &options, &other), -EINVAL);
	options = (poold_map_options){};
	ck_assert_int_eq(poold_map_new(p, "f", &options, &other), -EINVAL);
	ck_assert_int_eq(poold_map_new(p, "", NULL, &other), -EINVAL);
	ck_assert_int_eq(poold_map_next(m, 0, &(poold_map_item){}), -EINVAL);
	ck_assert_ptr_null(poold_map_free(NULL));
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client_map");
	TCase *t = tcase_create("map");

	tcase_add_test(t, items_are_one_job);
	tcase_add_test(t, what_was_not_run_is_handed_in_again);
	tcase_add_loop_test(t, results_that_are_none_fail_all, 0, 4);
	tcase_add_test(t, a_refusal_for_want_of_room_waits_for_others);
	tcase_add_test(t, a_lost_connection_ends_all);
	tcase_add_test(t, options_are_checked);
	suite_add_tcase(s, t);
	return check_run(s);
}
