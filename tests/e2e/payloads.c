/* Every way in and out of a value, with sizes around each limit that there is. Run by payloads.py,
 * against a real daemon at $POOLD_SOCKET. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/poold-request.h"
#include "client/poold.h"
#include "tests/unit/suite.h"

#define MOST_BYTES ((2u << 20) + 1)

/* Pages; the head of a bin 16; 64 KiB with and without heads; huge pages. */
static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 65531, 65532, 65533, 65534, 65535, 65536,
	65537, 65538, 65540, 65541, (2u << 20) - 1, 2u << 20, MOST_BYTES};

static uint8_t *bytes; /* MOST_BYTES of them, none is 0 */
static poold *p;

static void start(void)
{
	uint64_t random = 1;

	bytes = malloc(MOST_BYTES + 1);
	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < MOST_BYTES; i++)
		bytes[i] = (uint8_t)(suite_random(&random) % 26 + 'a');
	ck_assert_int_eq(poold_open(&p, NULL), 0);
	/* once, so that what the handle keeps is there */
	ck_assert_int_eq(poold_ping(p, POOLD_FOREVER), 0);
}

static void stop(void)
{
	poold_unref(p);
	free(bytes);
}

/* ---- in ---- */

static struct {
	struct iovec pieces[3];
	uint8_t *encoded;
	char *text;
	int file;
	poold_buffer *buffer;
} in;

static void drop_input(void)
{
	free(in.encoded);
	free(in.text);
	if (in.file > 0)
		close(in.file);
	poold_buffer_free(in.buffer);
	memset(&in, 0, sizeof(in));
}

static poold_input from_heap(size_t n)
{
	return poold_input_bytes(bytes, n);
}

static poold_input from_text(size_t n)
{
	in.text = strndup((char *)bytes, n);
	return poold_input_text(in.text);
}

static poold_input from_pieces(size_t n)
{
	in.pieces[0] = (struct iovec){bytes, n / 3};
	in.pieces[1] = (struct iovec){NULL, 0};
	in.pieces[2] = (struct iovec){bytes + n / 3, n - n / 3};
	return poold_input_iov(in.pieces, 3);
}

/* From where it stands. */
static poold_input from_file(size_t n)
{
	char path[] = "/tmp/payloads.XXXXXX";

	in.file = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(in.file, 0);
	unlink(path);
	ck_assert_int_eq(write(in.file, "not this", 8), 8);
	ck_assert_int_eq(write(in.file, bytes, n), (ssize_t)n);
	ck_assert_int_eq(lseek(in.file, 8, SEEK_SET), 8);
	return poold_input_file(in.file);
}

static poold_input from_buffer(size_t n)
{
	ck_assert_int_eq(poold_buffer_new(&in.buffer, n), 0);
	memcpy(poold_buffer_get_data(in.buffer), bytes, n);
	return poold_input_buffer(in.buffer);
}

static poold_input from_buffer_that_was_cut(size_t n)
{
	ck_assert_int_eq(poold_buffer_new(&in.buffer, n + 5000), 0);
	memcpy(poold_buffer_get_data(in.buffer), bytes, n);
	memset((uint8_t *)poold_buffer_get_data(in.buffer) + n, '!', 5000);
	ck_assert_int_eq(poold_buffer_set_size(in.buffer, n), 0);
	return poold_input_buffer(in.buffer);
}

/* Not by its memfd, however long: up to what a message may have. */
static poold_input from_encoding(size_t n)
{
	const uint8_t head[5] = {
		0xc6, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	if (n > 1000000)
		n = 0;
	in.encoded = malloc(n + sizeof(head));
	ck_assert_ptr_nonnull(in.encoded);
	memcpy(in.encoded, head, sizeof(head));
	if (n == 0)
		memset(in.encoded + 1, 0, 4);
	memcpy(in.encoded + sizeof(head), bytes, n);
	return poold_input_encoded(in.encoded, n + sizeof(head));
}

static const struct {
	const char *name;
	poold_input (*make)(size_t n);
} ways_in[] = {
	{"heap", from_heap},
	{"text", from_text},
	{"pieces", from_pieces},
	{"file", from_file},
	{"buffer", from_buffer},
	{"cut buffer", from_buffer_that_was_cut},
	{"encoding", from_encoding},
};

static void expect(const char *way, const void *got, size_t n, size_t wanted)
{
	ck_assert_msg(n == wanted && memcmp(got, bytes, n) == 0, "%s, %zu bytes: %zu came back",
		way, wanted, n);
}

static void expect_result(const char *way, poold_future *f, size_t wanted)
{
	const char *code = "", *message = "";
	const void *got = NULL;
	size_t n = 0;

	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	poold_future_get_error(f, &code, &message);
	ck_assert_msg(poold_future_get_bytes(f, &got, &n) == 0, "%s, %zu bytes: %s: %s", way,
		wanted, code, message);
	expect(way, got, n, wanted);
}

static size_t size_of(unsigned way, size_t n)
{
	return ways_in[way].make == from_encoding && n > 1000000 ? 0 : n;
}

START_TEST(what_goes_in_comes_out)
{
	poold_options options = POOLD_OPTIONS_INIT;
	unsigned n_fds = suite_open_fds();

	options.auto_release = 1;
	for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
		poold_future *f;

		ck_assert_int_eq(
			poold_submit(p, "bench/echo", ways_in[_i].make(sizes[s]), &options, &f), 0);
		/* whoever submitted may forget it at once */
		drop_input();
		expect_result(ways_in[_i].name, f, size_of((unsigned)_i, sizes[s]));
		poold_future_unref(f);
	}
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

START_TEST(what_is_put_is_there)
{
	unsigned n_fds = suite_open_fds();

	for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
		poold_reply *reply;
		poold_future *f;
		const void *got;
		size_t n;

		ck_assert_int_eq(poold_put(p, ways_in[_i].make(sizes[s]), NULL, &f), 0);
		drop_input();
		ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
		ck_assert_int_eq(
			poold_result(p, poold_future_get_id(f), POOLD_FOREVER, 1, &reply), 0);
		ck_assert_int_eq(poold_reply_get_bytes(reply, &got, &n), 0);
		expect(ways_in[_i].name, got, n, size_of((unsigned)_i, sizes[s]));
		poold_reply_unref(reply);
		poold_future_unref(f);
	}
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

/* ---- out ---- */

START_TEST(what_is_written_in_place_comes_out)
{
	poold_options options = POOLD_OPTIONS_INIT;
	unsigned n_fds = suite_open_fds();

	options.auto_release = 1;
	memset(bytes, 'x', MOST_BYTES);
	for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
		const uint8_t number[] = {0xce, (uint8_t)(sizes[s] >> 24),
			(uint8_t)(sizes[s] >> 16), (uint8_t)(sizes[s] >> 8), (uint8_t)sizes[s]};
		poold_future *f;

		ck_assert_int_eq(poold_submit(p, "bench/fill",
					 poold_input_encoded(number, sizeof(number)), &options, &f),
			0);
		expect_result("in place", f, sizes[s]);
		poold_future_unref(f);
	}
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

/* A result in shared memory is the input of the next job without a copy: by its fd. */
START_TEST(a_result_s_fd_is_an_input)
{
	struct stat before, after;
	poold_future *first, *second;
	size_t n;
	int fd;

	ck_assert_int_eq(poold_submit(p, "bench/echo", from_heap(MOST_BYTES), NULL, &first), 0);
	expect_result("first", first, MOST_BYTES);
	fd = poold_future_get_fd(first, 0, &n);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(poold_submit(p, "bench/echo", poold_input_file(fd), NULL, &second), 0);
	expect_result("second", second, MOST_BYTES);
	ck_assert_int_eq(fstat(fd, &before), 0);
	ck_assert_int_eq(fstat(poold_future_get_fd(second, 0, &n), &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(poold_future_release(first), 0);
	ck_assert_int_eq(poold_future_release(second), 0);
	poold_future_unref(first);
	poold_future_unref(second);
}
END_TEST

/* ---- what cannot be ---- */

START_TEST(a_buffer_that_somebody_can_still_write_is_not_sent)
{
	unsigned n_fds = suite_open_fds();
	poold_future *f = NULL;
	poold_buffer *b;
	void *also;

	ck_assert_int_eq(poold_buffer_new(&b, MOST_BYTES), 0);
	memcpy(poold_buffer_get_data(b), bytes, MOST_BYTES);
	also = mmap(
		NULL, MOST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, poold_buffer_get_fd(b), 0);
	ck_assert_ptr_ne(also, MAP_FAILED);
	ck_assert_int_eq(poold_submit(p, "bench/echo", poold_input_buffer(b), NULL, &f), -EBUSY);
	ck_assert_ptr_null(f);
	munmap(also, MOST_BYTES);
	ck_assert_int_eq(poold_submit(p, "bench/echo", poold_input_buffer(b), NULL, &f), 0);
	/* from here on nobody can */
	ck_assert_int_eq(pwrite(poold_buffer_get_fd(b), "!", 1, 0), -1);
	ck_assert_int_eq(ftruncate(poold_buffer_get_fd(b), 1), -1);
	ck_assert_ptr_eq(
		mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, poold_buffer_get_fd(b), 0),
		MAP_FAILED);
	expect_result("buffer", f, MOST_BYTES);
	ck_assert_int_eq(poold_future_release(f), 0);
	poold_future_unref(f);
	poold_buffer_free(b);
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

/* No memory for it: nothing was submitted, the reason is told, and the handle works on. */
START_TEST(an_input_over_the_limit_of_files_is_refused_here)
{
	poold_input (*const ways[])(size_t n) = {from_heap, from_pieces};
	unsigned n_fds = suite_open_fds();
	poold_future *f = NULL;
	poold_buffer *b;

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000}), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		ck_assert_int_eq(poold_submit(p, "bench/echo", ways[i](100001), NULL, &f), -EFBIG);
		ck_assert_ptr_nonnull(strstr(poold_get_error_text(p), "File too large"));
		ck_assert_ptr_null(f);
		ck_assert_int_eq(poold_submit(p, "bench/echo", ways[i](100000), NULL, &f), 0);
		expect_result("at the limit", f, 100000);
		ck_assert_int_eq(poold_future_release(f), 0);
		poold_future_unref(f);
		f = NULL;
	}
	ck_assert_int_eq(poold_buffer_new(&b, 100001), -EFBIG);
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}
END_TEST

START_TEST(without_fds_nothing_is_submitted)
{
	struct rlimit limit;
	poold_future *f = NULL;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = suite_open_fds();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(poold_submit(p, "bench/echo", from_heap(70000), NULL, &f), -EMFILE);
	ck_assert_ptr_null(f);
	ck_assert_int_eq(poold_submit(p, "bench/echo", from_heap(1000), NULL, &f), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect_result("inline", f, 1000);
	ck_assert_int_eq(poold_future_release(f), 0);
	poold_future_unref(f);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("payloads");
	TCase *t = tcase_create("payloads");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_loop_test(t, what_goes_in_comes_out, 0, (int)ARRAY_SIZE(ways_in));
	tcase_add_loop_test(t, what_is_put_is_there, 0, (int)ARRAY_SIZE(ways_in));
	tcase_add_test(t, what_is_written_in_place_comes_out);
	tcase_add_test(t, a_result_s_fd_is_an_input);
	tcase_add_test(t, a_buffer_that_somebody_can_still_write_is_not_sent);
	tcase_add_test(t, an_input_over_the_limit_of_files_is_refused_here);
	tcase_add_test(t, without_fds_nothing_is_submitted);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return check_run(suite());
}
