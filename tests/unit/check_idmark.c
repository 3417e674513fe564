#include "daemon/idmark.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "proto/limits.h"
#include "tests/lib/capture.h"
#include "tests/lib/check_run.h"
#include "tests/lib/folder.h"

static struct folder folder;
static struct idmark *mark;
static uint64_t first, end;

static void setup(void)
{
	folder_make(&folder);
	capture_start();
}

static void teardown(void)
{
	mark = idmark_free(mark);
	capture_end();
	folder_remove(&folder);
}

/* A start in the folder, after the last one went. */
static int start(void)
{
	mark = idmark_free(mark);
	first = end = 0;
	return idmark_new(folder.path, &mark, &first, &end);
}

static uint64_t id_of_time(void)
{
	return clock_us(CLOCK_REALTIME) * 4;
}

static const char *text_of(uint64_t id)
{
	static char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 "\n", id);
	return text;
}

START_TEST(ids_begin_at_one_and_the_mark_is_ahead)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(end, 1 + IDMARK_BLOCK);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(1 + IDMARK_BLOCK));
	ck_assert_str_eq(capture_read(), "");
}
END_TEST

START_TEST(the_next_start_begins_at_the_mark)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(first, 1 + IDMARK_BLOCK);
	ck_assert_uint_eq(end, 1 + 2 * IDMARK_BLOCK);
	folder_write(&folder, "next_id", "77\n");
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(first, 77);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(77 + IDMARK_BLOCK));
}
END_TEST

START_TEST(starts_that_are_killed_repeat_nothing)
{
	uint64_t before = 0;

	for (int i = 0; i < 20; i++) {
		uint64_t ids[2];
		int pipe_fds[2];
		pid_t pid;

		ck_assert_int_eq(pipe(pipe_fds), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			if (start() == 0 && write(pipe_fds[1], (uint64_t[]){first, end}, 16) == 16)
				raise(SIGKILL);
			_exit(1);
		}
		ck_assert_int_eq(read(pipe_fds[0], ids, sizeof(ids)), sizeof(ids));
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		ck_assert_uint_ge(ids[0], before);
		ck_assert_uint_gt(ids[1], ids[0]);
		before = ids[1];
	}
}
END_TEST

START_TEST(a_directory_belongs_to_one_daemon)
{
	struct idmark *other = NULL;
	char pid[32];
	const char *said;
	uint64_t a, b;

	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(idmark_new(folder.path, &other, &a, &b), IDMARK_E_HELD);
	ck_assert_ptr_null(other);
	said = capture_read();
	snprintf(pid, sizeof(pid), "pid %d\n", (int)getpid());
	ck_assert_ptr_nonnull(strstr(said, "another poold runs here"));
	ck_assert_ptr_nonnull(strstr(said, pid));
	ck_assert_ptr_nonnull(strstr(said, folder.path));
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(1 + IDMARK_BLOCK));
	mark = idmark_free(mark);
	ck_assert_int_eq(idmark_new(folder.path, &other, &a, &b), 0);
	idmark_free(other);
}
END_TEST

START_TEST(the_next_block_is_reserved_when_half_is_used)
{
	uint64_t half = 1 + IDMARK_BLOCK / 2;

	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(idmark_reserve_more(mark, 1), end);
	ck_assert_uint_eq(idmark_reserve_more(mark, half - 1), end);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(end));
	ck_assert_uint_eq(idmark_reserve_more(mark, half), end + IDMARK_BLOCK);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(end + IDMARK_BLOCK));
	ck_assert_uint_eq(idmark_reserve_more(mark, half + 1), end + IDMARK_BLOCK);
	ck_assert_uint_eq(idmark_reserve_more(mark, half + IDMARK_BLOCK), end + 2 * IDMARK_BLOCK);
	ck_assert_str_eq(capture_read(), "");
}
END_TEST

START_TEST(a_disk_that_refuses_keeps_the_end_and_is_asked_again)
{
	uint64_t half = 1 + IDMARK_BLOCK / 2, id = half;
	unsigned n_lines = 0;

	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(mkdir(folder_at(&folder, "next_id.new"), 0700), 0);
	/* However many IDs are given out in between, the log is told a few times. */
	for (; id < end; id += IDMARK_BLOCK / 4096)
		ck_assert_uint_eq(idmark_reserve_more(mark, id), end);
	for (const char *p = capture_read(); (p = strchr(p, '\n')); p++)
		n_lines++;
	ck_assert_uint_ge(n_lines, 2);
	ck_assert_uint_le(n_lines, 200);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(end));
	ck_assert_int_eq(rmdir(folder_at(&folder, "next_id.new")), 0);
	ck_assert_uint_eq(idmark_reserve_more(mark, end), end + IDMARK_BLOCK);
}
END_TEST

static const char *const corrupt[] = {
	"",
	"\n",
	"12",
	"12x",
	"0\n",
	"-5\n",
	" 12\n",
	"12 \n",
	"12\n34\n",
	"0x12\n",
	"twelve\n",
	"9007199254740993\n",	  /* 2^53 + 1 */
	"99999999999999999999\n", /* above 2^64 */
	"1111111111111111111111111111111111111\n",
};

START_TEST(a_corrupt_mark_is_kept_aside_and_ids_go_on_higher)
{
	uint64_t before = id_of_time();

	folder_write(&folder, "next_id", corrupt[_i]);
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_ge(first, before);
	ck_assert_uint_le(first, id_of_time());
	ck_assert_uint_eq(end, first + IDMARK_BLOCK);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(end));
	ck_assert_str_eq(folder_read(&folder, "next_id.bad"), corrupt[_i]);
	ck_assert_ptr_nonnull(strstr(capture_read(), "next_id.bad"));
	before = end;
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(first, before);
	ck_assert_str_eq(capture_read(), "");
}
END_TEST

START_TEST(a_link_in_place_of_the_mark_is_not_followed)
{
	folder_write(&folder, "elsewhere", "5\n");
	ck_assert_int_eq(symlink("elsewhere", folder_at(&folder, "next_id")), 0);
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_gt(first, 1ull << 50);
	ck_assert_str_eq(folder_read(&folder, "elsewhere"), "5\n");

	mark = idmark_free(mark);
	ck_assert_int_eq(unlink(folder_at(&folder, "poold.lock")), 0);
	ck_assert_int_eq(symlink("elsewhere", folder_at(&folder, "poold.lock")), 0);
	ck_assert_int_eq(start(), 0);
	ck_assert_str_eq(folder_read(&folder, "elsewhere"), "5\n");
	ck_assert_uint_eq(end, PROTO_ID_END);
}
END_TEST

/* The IDs come from the clock, nothing is reserved, and a line says so. */
static void expect_time_based(const char *state_dir, const char *reason)
{
	uint64_t before = id_of_time();
	const char *said;

	mark = idmark_free(mark);
	ck_assert_int_eq(idmark_new(state_dir, &mark, &first, &end), 0);
	ck_assert_uint_ge(first, before);
	ck_assert_uint_le(first, id_of_time());
	ck_assert_uint_eq(end, PROTO_ID_END);
	ck_assert_uint_eq(idmark_reserve_more(mark, first + 3 * IDMARK_BLOCK), PROTO_ID_END);
	said = capture_read();
	ck_assert_msg(strncmp(said, "<4>", 3) == 0 && strstr(said, reason), "no \"%s\" in: %s",
		reason, said);
	ck_assert_ptr_nonnull(strstr(said, "IDs can repeat"));
}

START_TEST(without_a_usable_directory_ids_come_from_the_clock)
{
	folder_write(&folder, "file", "");
	ck_assert_int_eq(mkdir(folder_at(&folder, "open"), 0700), 0);
	ck_assert_int_eq(chmod(folder_at(&folder, "open"), 0777), 0);
	ck_assert_int_eq(mkdir(folder_at(&folder, "full"), 0700), 0);
	ck_assert_int_eq(mkdir(folder_at(&folder, "full/next_id.new"), 0700), 0);
	expect_time_based(NULL, "none is known");
	expect_time_based(folder_at(&folder, "file"), strerror(ENOTDIR));
	expect_time_based(folder_at(&folder, "file/below"), strerror(ENOTDIR));
	expect_time_based(folder_at(&folder, "open"), "everybody may write");
	expect_time_based(folder_at(&folder, "full"), strerror(EISDIR));
}
END_TEST

START_TEST(a_clock_behind_the_mark_does_not_go_back)
{
	uint64_t high = id_of_time() + (1ull << 50);

	folder_write(&folder, "next_id", text_of(high));
	ck_assert_int_eq(mkdir(folder_at(&folder, "next_id.new"), 0700), 0);
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(first, high);
	ck_assert_uint_eq(end, PROTO_ID_END);
}
END_TEST

START_TEST(ids_that_are_used_up_are_an_error)
{
	folder_write(&folder, "next_id", text_of(PROTO_ID_END - IDMARK_BLOCK));
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(end, PROTO_ID_END);
	ck_assert_uint_eq(idmark_reserve_more(mark, PROTO_ID_END - 5), PROTO_ID_END);
	ck_assert_int_eq(start(), -ERANGE);
	ck_assert_ptr_nonnull(strstr(capture_read(), "used up"));
	folder_write(&folder, "next_id", text_of(PROTO_ID_END - 5));
	ck_assert_int_eq(start(), -ERANGE);
	ck_assert_str_eq(folder_read(&folder, "next_id"), text_of(PROTO_ID_END - 5));
}
END_TEST

START_TEST(the_directory_is_made_for_this_uid_alone)
{
	struct stat st;
	mode_t before = umask(0777);

	ck_assert_int_eq(idmark_new(folder_at(&folder, "a/b//c"), &mark, &first, &end), 0);
	umask(before);
	ck_assert_uint_eq(first, 1);
	ck_assert_int_eq(stat(folder_at(&folder, "a"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(folder_at(&folder, "a/b/c"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idmark");
	TCase *marks = tcase_create("marks");

	tcase_add_checked_fixture(marks, setup, teardown);
	tcase_add_test(marks, ids_begin_at_one_and_the_mark_is_ahead);
	tcase_add_test(marks, the_next_start_begins_at_the_mark);
	tcase_add_test(marks, starts_that_are_killed_repeat_nothing);
	tcase_add_test(marks, a_directory_belongs_to_one_daemon);
	tcase_add_test(marks, the_next_block_is_reserved_when_half_is_used);
	tcase_add_test(marks, a_disk_that_refuses_keeps_the_end_and_is_asked_again);
	tcase_add_loop_test(
		marks, a_corrupt_mark_is_kept_aside_and_ids_go_on_higher, 0, ARRAY_SIZE(corrupt));
	tcase_add_test(marks, a_link_in_place_of_the_mark_is_not_followed);
	tcase_add_test(marks, without_a_usable_directory_ids_come_from_the_clock);
	tcase_add_test(marks, a_clock_behind_the_mark_does_not_go_back);
	tcase_add_test(marks, ids_that_are_used_up_are_an_error);
	tcase_add_test(marks, the_directory_is_made_for_this_uid_alone);
	tcase_set_timeout(marks, 60);
	suite_add_tcase(suite, marks);
	return check_run(suite);
}
