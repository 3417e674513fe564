#include "daemon/outbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/closer.h"
#include "daemon/payload.h"
#include "proto/fdpass.h"
#include "proto/shm.h"
#include "tests/unit/suite.h"

enum { UID = 7 };

/* An outbox on one end of a socket pair, with a core that has objects only. */
static struct core core;
static struct account *account;
static struct outbox box;
static int ours, peer;
static unsigned fds_before;

static void drop_payload(void *shell, struct payload *p)
{
	payload_free(p);
}

static const struct core_ops core_ops = {.drop_payload = drop_payload};

static void set_up(void)
{
	struct account_limits limits;
	int pair[2];

	fds_before = suite_open_fds();
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		limits.uid.n[k] = limits.all.n[k] = 1u << 30;
	ck_assert_int_eq(
		core_init(&core, &limits, &core_ops, NULL, 1, 1000, &(struct siphash_key){{1, 2}}),
		0);
	ck_assert_int_eq(account_get(&core.accounts, UID, &account), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ours = pair[0];
	peer = pair[1];
	outbox_init(&box, &core, account);
}

/* Everything is given back, whatever the case left in the outbox. */
static void tear_down(void)
{
	outbox_deinit(&box);
	ck_assert(outbox_is_empty(&box));
	ck_assert_uint_eq(core.table.n, 0);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		ck_assert_uint_eq(account_used(account)->n[k], 0);
	account_unref(account);
	core_deinit(&core);
	close(ours);
	fd_close(peer);
	closer_stop();
	ck_assert_uint_eq(suite_open_fds(), fds_before);
}

/* A sealed memfd whose bytes count up from `first`. */
static int memfd(size_t n, uint8_t first)
{
	uint8_t *bytes = malloc(n + 1);
	int fd;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(first + i);
	fd = shm_from_bytes("check", bytes, n);
	free(bytes);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* An object with n_fds memfds of `size` bytes, released: only those who send from it keep it. It is
 * still pinned once: done_with() ends that. */
static struct future *object(unsigned n_fds, size_t size)
{
	struct submission s = {.account = account, .input_bytes = 100, .ttl_us = 1000000};
	int fds[PROTO_RESULT_FDS];
	const char *reason;
	struct refusal why;
	struct future *f;

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = memfd(size, (uint8_t)i);
	s.input_fds = (uint16_t)n_fds;
	ck_assert_int_eq(core_put(&core, &s, 1, &f, &why), 0);
	ck_assert_int_eq(
		payload_new((const uint8_t *)"\xc0", 1, fds, n_fds, &f->end.value, &reason), 0);
	core_pin(f);
	core_release(&core, f);
	return f;
}

static void done_with(struct future *f)
{
	core_unpin(&core, f);
	core_sweep(&core);
}

static void add(const char *text)
{
	ck_assert_int_eq(outbox_begin(&box, NULL, 0), 0);
	ck_assert_int_eq(outbox_bytes(&box, text, strlen(text)), 0);
}

static void add_with_fds(struct future *f, const char *text)
{
	ck_assert_int_eq(outbox_begin(&box, f, strlen(text)), 0);
	ck_assert_int_eq(outbox_bytes(&box, text, strlen(text)), 0);
}

/* One receive of at most n bytes: what came, and how many fds with it (closed). */
static size_t receive(void *into, size_t n, unsigned *ret_fds)
{
	int condition = 0;
	struct fdqueue q;
	ssize_t got;

	fdqueue_init(&q, PROTO_PACKET_FDS);
	got = fdpass_recv(peer, into, n, MSG_DONTWAIT, &q, &condition);
	ck_assert_int_eq(condition, 0);
	if (ret_fds)
		*ret_fds = q.n;
	fdqueue_deinit(&q);
	return got > 0 ? (size_t)got : 0;
}

static void must_receive(const char *text, unsigned n_fds)
{
	char bytes[256] = "";
	unsigned came;

	ck_assert_uint_eq(receive(bytes, strlen(text), &came), strlen(text));
	ck_assert_str_eq(bytes, text);
	ck_assert_uint_eq(came, n_fds);
}

START_TEST(test_messages_memfds_and_fds_go_in_order)
{
	struct future *f = object(2, 3);
	uint8_t bytes[16];

	add("one ");
	add("two ");
	add_with_fds(f, "fds ");
	add("then ");
	ck_assert_int_eq(outbox_begin(&box, NULL, 0), 0);
	ck_assert_int_eq(outbox_bytes(&box, "<", 1), 0);
	ck_assert_int_eq(outbox_file(&box, f, payload_memfds(future_value(f))->fds[1], 3), 0);
	ck_assert_int_eq(outbox_bytes(&box, ">", 1), 0);
	done_with(f);
	ck_assert_int_eq(outbox_flush(&box, ours), 0);
	must_receive("one two ", 0);
	must_receive("fds then <", 2);
	ck_assert_uint_eq(receive(bytes, sizeof(bytes), NULL), 4);
	ck_assert_mem_eq(bytes, "\1\2\3>", 4);
	ck_assert_uint_eq(receive(bytes, sizeof(bytes), NULL), 0);
}
END_TEST

START_TEST(test_empty_memfd_is_nothing)
{
	struct future *f = object(1, 0);

	add("a");
	ck_assert_int_eq(outbox_file(&box, f, payload_memfds(future_value(f))->fds[0], 0), 0);
	ck_assert_int_eq(outbox_bytes(&box, "b", 1), 0);
	done_with(f);
	ck_assert_int_eq(outbox_flush(&box, ours), 0);
	must_receive("ab", 0);
}
END_TEST

/* Through a socket that takes a little at a time, with a reader that reads odd pieces. */
START_TEST(test_a_small_socket_buffer_loses_nothing)
{
	enum { FILE_BYTES = 300000, TEXT_BYTES = 50000, ROUNDS = 4 };
	struct future *f = object(1, FILE_BYTES);
	static uint8_t text[TEXT_BYTES], got[1 << 21];
	int small = 4096, r = OUTBOX_AGAIN;
	size_t n = 0, step;

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(outbox_begin(&box, f, 1), 0);
		ck_assert_int_eq(outbox_bytes(&box, "[", 1), 0);
		ck_assert_int_eq(outbox_bytes(&box, text, sizeof(text)), 0);
		ck_assert_int_eq(
			outbox_file(&box, f, payload_memfds(future_value(f))->fds[0], FILE_BYTES),
			0);
	}
	done_with(f);
	ck_assert_uint_eq(core.table.n, 1);
	while (r == OUTBOX_AGAIN || n < ROUNDS * (1 + TEXT_BYTES + FILE_BYTES)) {
		r = outbox_flush(&box, ours);
		ck_assert_int_ge(r, 0);
		step = receive(got + n, 1 + n % 7777, NULL);
		ck_assert(step > 0 || r == OUTBOX_AGAIN);
		n += step;
	}
	ck_assert_uint_eq(n, ROUNDS * (1 + TEXT_BYTES + FILE_BYTES));
	for (size_t at = 0; at < n; at += 1 + TEXT_BYTES + FILE_BYTES) {
		ck_assert_uint_eq(got[at], '[');
		ck_assert_mem_eq(got + at + 1, text, sizeof(text));
		for (size_t i = 0; i < FILE_BYTES; i++)
			if (got[at + 1 + TEXT_BYTES + i] != (uint8_t)i)
				ck_abort_msg("byte %zu of the memfd", i);
	}
	core_sweep(&core);
	ck_assert_uint_eq(core.table.n, 0);
}
END_TEST

/* At most 8 lie unread; the next go when all were read. */
START_TEST(test_fds_wait_for_those_before_them)
{
	struct future *f = object(3, 1);

	add_with_fds(f, "a");
	add_with_fds(f, "b");
	add_with_fds(f, "c");
	add("d");
	done_with(f);
	ck_assert_int_eq(outbox_flush(&box, ours), OUTBOX_AGAIN);
	ck_assert_uint_eq(box.unread_fds, 6);
	ck_assert_uint_eq(account_used(account)->n[ACCOUNT_UNREAD_FDS], 6);
	ck_assert(!box.is_blocked_by_share);
	must_receive("a", 3);
	ck_assert_int_eq(outbox_flush(&box, ours), OUTBOX_AGAIN); /* not all were read */
	must_receive("b", 3);
	ck_assert_int_eq(outbox_flush(&box, ours), 0);
	ck_assert_uint_eq(account_used(account)->n[ACCOUNT_UNREAD_FDS], 3);
	must_receive("cd", 3);
	outbox_look(&box, ours);
	ck_assert_uint_eq(account_used(account)->n[ACCOUNT_UNREAD_FDS], 0);
}
END_TEST

/* Others of the same uid have used the share up: nothing tells when it is free again. */
START_TEST(test_fds_wait_for_the_share_of_their_uid)
{
	struct future *f = object(2, 1);

	core.accounts.limits.uid.n[ACCOUNT_UNREAD_FDS] = 3;
	ck_assert_int_eq(account_take_one(account, ACCOUNT_UNREAD_FDS, 2, NULL), 0);
	add_with_fds(f, "a");
	done_with(f);
	ck_assert_int_eq(outbox_flush(&box, ours), OUTBOX_AGAIN);
	ck_assert(box.is_blocked_by_share);
	ck_assert_uint_eq(account_used(account)->n[ACCOUNT_UNREAD_FDS], 2);
	account_give_one(account, ACCOUNT_UNREAD_FDS, 2);
	ck_assert_int_eq(outbox_flush(&box, ours), 0);
	ck_assert(!box.is_blocked_by_share);
	must_receive("a", 2);
}
END_TEST

START_TEST(test_all_memory_beyond_the_free_part_is_charged)
{
	struct future *f = object(1, 5);
	const uint64_t *used = &account_used(account)->n[ACCOUNT_BYTES];
	uint64_t before = *used;

	add("a");
	ck_assert_uint_eq(*used, before);
	/* Many small messages with fds: each is some hundred bytes of memory. */
	for (int i = 0; i < 1000; i++) {
		add_with_fds(f, "a");
		add("b");
	}
	ck_assert_uint_ge(box.bytes, 1000 * 512);
	ck_assert_uint_eq(*used - before, box.bytes - OUTBOX_FREE_BYTES);
	done_with(f);
}
END_TEST

START_TEST(test_a_message_over_the_quota_can_be_undone)
{
	struct future *f = object(1, 100000);
	static uint8_t large[OUTBOX_FREE_BYTES];

	core.accounts.limits.uid.n[ACCOUNT_BYTES] = account_used(account)->n[ACCOUNT_BYTES] + 1000;
	add("kept ");
	ck_assert_int_eq(outbox_begin(&box, f, 100), 0);
	ck_assert_int_eq(outbox_bytes(&box, "half", 4), 0);
	ck_assert_int_eq(outbox_file(&box, f, payload_memfds(future_value(f))->fds[0], 100000), 0);
	ck_assert_int_eq(outbox_bytes(&box, large, sizeof(large)), OUTBOX_E_QUOTA);
	outbox_undo(&box);
	add("kept too");
	ck_assert_int_eq(outbox_begin(&box, NULL, 0), 0);
	ck_assert_int_eq(outbox_bytes(&box, "half", 4), 0);
	outbox_undo(&box);
	done_with(f);
	ck_assert_uint_eq(core.table.n, 0);
	ck_assert_int_eq(outbox_flush(&box, ours), 0);
	must_receive("kept kept too", 0);
	ck_assert_uint_eq(receive(large, 1, NULL), 0);
}
END_TEST

START_TEST(test_deinit_gives_back_what_was_not_sent)
{
	struct future *f = object(4, 1000000);
	static uint8_t large[300000];

	add_with_fds(f, "a");
	add_with_fds(f, "b");
	add_with_fds(f, "c");
	ck_assert_int_eq(outbox_file(&box, f, payload_memfds(future_value(f))->fds[0], 1000000), 0);
	ck_assert_int_eq(outbox_bytes(&box, large, sizeof(large)), 0);
	ck_assert_int_eq(outbox_flush(&box, ours), OUTBOX_AGAIN);
	done_with(f);
	ck_assert_uint_eq(core.table.n, 1);
}
END_TEST

START_TEST(test_a_peer_that_is_gone_is_told)
{
	struct future *f = object(1, 1);

	add_with_fds(f, "a");
	done_with(f);
	peer = fd_close(peer);
	ck_assert_int_eq(outbox_flush(&box, ours), -EPIPE);
	ck_assert_uint_eq(account_used(account)->n[ACCOUNT_UNREAD_FDS], 0);
}
END_TEST

SUITE_MAIN_WITH("outbox", set_up, tear_down, test_messages_memfds_and_fds_go_in_order,
	test_empty_memfd_is_nothing, test_a_small_socket_buffer_loses_nothing,
	test_fds_wait_for_those_before_them, test_fds_wait_for_the_share_of_their_uid,
	test_all_memory_beyond_the_free_part_is_charged,
	test_a_message_over_the_quota_can_be_undone, test_deinit_gives_back_what_was_not_sent,
	test_a_peer_that_is_gone_is_told)
