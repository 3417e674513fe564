#include "daemon/payload.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/closer.h"
#include "proto/shm.h"
#include "tests/unit/suite.h"

static const uint8_t nil[] = {0xc0};

static int sealed(size_t n)
{
	int fd = shm_new("check", n);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(shm_seal(fd), 0);
	return fd;
}

static struct payload *make(const void *bytes, size_t len, const int *fds, unsigned n_fds)
{
	struct payload *p = NULL;
	const char *reason;

	ck_assert_int_eq(payload_new(bytes, len, fds, n_fds, &p, &reason), 0);
	return p;
}

START_TEST(test_small_value_is_inline)
{
	struct payload *p = make("\xa2hi", 3, NULL, 0);

	ck_assert_uint_eq(p->len, 3);
	ck_assert_mem_eq(p->bytes, "\xa2hi", 3);
	ck_assert_int_eq(payload_spill_fd(p), -1);
	ck_assert_uint_eq(payload_charge_bytes(p), sizeof(*p) + 3);
	ck_assert_uint_eq(payload_charge_fds(p), 0);
	ck_assert_uint_eq(payload_moved(p).inline_bytes, 3);
	ck_assert_uint_eq(payload_moved(p).copied_bytes, 0);
	payload_free(p);
}
END_TEST

/* The limit itself is inline; one byte more lies in a sealed memfd. */
START_TEST(test_large_value_is_spilled)
{
	static uint8_t bytes[PROTO_INLINE_BYTES + 1];
	static uint8_t back[sizeof(bytes)];
	struct payload *p;
	size_t size;

	memset(bytes, 7, sizeof(bytes));
	p = make(bytes, PROTO_INLINE_BYTES, NULL, 0);
	ck_assert_int_eq(payload_spill_fd(p), -1);
	payload_free(p);
	p = make(bytes, sizeof(bytes), NULL, 0);
	ck_assert_int_eq(shm_check(payload_spill_fd(p), sizeof(bytes), &size), 0);
	ck_assert_uint_eq(size, sizeof(bytes));
	ck_assert_int_eq(pread(payload_spill_fd(p), back, sizeof(back), 0), sizeof(back));
	ck_assert_mem_eq(back, bytes, sizeof(bytes));
	ck_assert_uint_eq(payload_charge_fds(p), 1);
	ck_assert_uint_eq(payload_charge_bytes(p), sizeof(*p) + sizeof(bytes));
	ck_assert_uint_eq(payload_moved(p).copied_bytes, sizeof(bytes));
	payload_free(p);
}
END_TEST

START_TEST(test_memfds_are_counted_with_their_size)
{
	int fds[] = {sealed(1000), sealed(0), sealed(1 << 20)};
	uint64_t bytes;
	uint16_t n_fds;
	struct payload *p;

	ck_assert_int_eq(payload_measure(sizeof(nil), fds, 3, &bytes, &n_fds), 0);
	p = make(nil, sizeof(nil), fds, 3);
	ck_assert_uint_eq(p->n_fds, 3);
	ck_assert_uint_eq(payload_memfds(p)->size[0], 1000);
	ck_assert_uint_eq(payload_memfds(p)->size[1], 0);
	ck_assert_uint_eq(payload_memfd_bytes(p), 1000 + (1 << 20));
	ck_assert_uint_eq(payload_charge_bytes(p), bytes);
	ck_assert_uint_eq(payload_charge_fds(p), n_fds);
	ck_assert_uint_eq(n_fds, 3);
	payload_free(p);
}
END_TEST

START_TEST(test_measure_tells_of_the_spill_before_it_is_made)
{
	uint64_t bytes;
	uint16_t n_fds;

	ck_assert_int_eq(payload_measure(PROTO_INLINE_BYTES, NULL, 0, &bytes, &n_fds), 0);
	ck_assert_uint_eq(n_fds, 0);
	ck_assert_int_eq(payload_measure(PROTO_INLINE_BYTES + 1, NULL, 0, &bytes, &n_fds), 0);
	ck_assert_uint_eq(n_fds, 1);
	ck_assert_uint_eq(bytes, sizeof(struct payload) + PROTO_INLINE_BYTES + 1);
}
END_TEST

/* Sizes that are claimed and never touched must not wrap around. */
START_TEST(test_sum_of_sparse_sizes_is_held_at_the_end)
{
	int fds[3];
	uint64_t bytes;
	uint16_t n_fds;
	struct payload *p;

	for (int i = 0; i < 3; i++)
		fds[i] = sealed(INT64_MAX);
	ck_assert_int_eq(payload_measure(sizeof(nil), fds, 3, &bytes, &n_fds), 0);
	ck_assert_uint_eq(bytes, UINT64_MAX);
	p = make(nil, sizeof(nil), fds, 3);
	ck_assert_uint_eq(payload_charge_bytes(p), UINT64_MAX);
	payload_free(p);
}
END_TEST

static void refuse(int fd)
{
	int fds[] = {sealed(10), fd};
	const char *reason = NULL;
	struct payload *p = NULL;

	ck_assert_int_eq(payload_new(nil, sizeof(nil), fds, 2, &p, &reason), PAYLOAD_E_FD);
	ck_assert_ptr_nonnull(reason);
	ck_assert_ptr_null(p);
}

START_TEST(test_other_kinds_of_fd_are_refused_and_closed)
{
	unsigned before = suite_open_fds();
	int pipes[2], sockets[2], half;

	refuse(shm_new("check", 10)); /* not sealed */
	half = shm_new("check", 10);
	ck_assert_int_eq(fcntl(half, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	refuse(half);
	refuse(open("/dev/zero", O_RDONLY | O_CLOEXEC));
	refuse(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	refuse(pipes[0]);
	close(pipes[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	refuse(sockets[0]);
	close(sockets[1]);
	closer_stop(); /* a file system is not waited for */
	ck_assert_uint_eq(suite_open_fds(), before);
}
END_TEST

START_TEST(test_more_fds_than_a_value_may_have_are_refused_and_closed)
{
	unsigned before = suite_open_fds();
	int fds[PROTO_RESULT_FDS + 1];
	const char *reason = NULL;
	struct payload *p;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = sealed(1);
	ck_assert_int_eq(
		payload_new(nil, sizeof(nil), fds, ARRAY_SIZE(fds), &p, &reason), PAYLOAD_E_FD);
	ck_assert_ptr_nonnull(reason);
	ck_assert_uint_eq(suite_open_fds(), before);
}
END_TEST

START_TEST(test_free_closes_the_fds)
{
	static uint8_t bytes[PROTO_INLINE_BYTES + 1];
	unsigned before = suite_open_fds();
	int fd = sealed(1);
	struct payload *p = make(bytes, sizeof(bytes), &fd, 1);

	ck_assert_uint_eq(suite_open_fds(), before + 2);
	ck_assert_ptr_null(payload_free(p));
	ck_assert_uint_eq(suite_open_fds(), before);
	ck_assert_ptr_null(payload_free(NULL));
}
END_TEST

SUITE_MAIN("payload", test_small_value_is_inline, test_large_value_is_spilled,
	test_memfds_are_counted_with_their_size, test_measure_tells_of_the_spill_before_it_is_made,
	test_sum_of_sparse_sizes_is_held_at_the_end, test_other_kinds_of_fd_are_refused_and_closed,
	test_more_fds_than_a_value_may_have_are_refused_and_closed, test_free_closes_the_fds)
