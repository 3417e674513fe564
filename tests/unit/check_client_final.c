/* The notification that a future ends with: poold's usual form is read in another way than any
 * other. */
#include <stdio.h>

#include "client/client_internal.h"
#include "tests/unit/fake_daemon.h"

static int count(poold_future *f, void *userdata)
{
	++*(unsigned *)userdata;
	return 0;
}

#define QUEUED	 "\xa6queued\xcb\x3f\xf8\0\0\0\0\0\0" /* 1.5 */
#define HANDOVER "\xa8handover\xcb\x40\0\0\0\0\0\0\0" /* 2 */
#define RUN	 "\xa3run\xcb\x40\x08\0\0\0\0\0\0"    /* 3 */
#define RETURN	 "\xa6return\xcb\x40\x10\0\0\0\0\0\0" /* 4 */
#define TIMES(bytes)                                                                               \
	{                                                                                          \
		bytes, sizeof(bytes) - 1                                                           \
	}

/* As poold writes them, or as any other encoder would. */
START_TEST(times_are_read_in_any_encoding)
{
	static const struct {
		const char *bytes;
		size_t n;
	} ways[] = {
		TIMES("\x84" QUEUED HANDOVER RUN RETURN),
		TIMES("\x84" RETURN RUN HANDOVER QUEUED),
		TIMES("\x84" QUEUED HANDOVER "\xa3run\x03" RETURN),
		TIMES("\x84" QUEUED "\xc4\x08handover\xca\x40\0\0\0" RUN RETURN),
		TIMES("\x85" QUEUED HANDOVER "\xa4more\x90" RUN RETURN),
		TIMES("\xde\0\x04" QUEUED HANDOVER RUN "\xa6return\xd3\0\0\0\0\0\0\0\x04"),
	};
	unsigned n_settled = 0;
	struct fake_daemon d;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		poold_timing t = {.size = sizeof(t)};
		uint64_t id = i + 1;
		poold_future *f;

		ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), NULL, &f), 0);
		ck_assert_int_eq(poold_future_set_callback(f, count, &n_settled), 0);
		fake_daemon_say(&d, "[iinu]", 1, (int)(2 + i), id);
		fake_daemon_say(
			&d, "[is[usnnr]]", 2, "final", id, "done", ways[i].bytes, ways[i].n);
		ck_assert_int_eq(client_run(p), 0);
		ck_assert_uint_eq(n_settled, i + 1);
		ck_assert_int_eq(poold_future_get_timing(f, &t), 0);
		ck_assert_uint_eq(t.queued_us, 1500000);
		ck_assert_uint_eq(t.handover_us, 2000000);
		ck_assert_uint_eq(t.run_us, 3000000);
		ck_assert_uint_eq(t.return_us, 4000000);
		poold_future_unref(f);
	}
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

/* What became of a future with ID 7 by these bytes, as text. */
static void outcome_of(char out[256], const uint8_t *bytes, size_t n, size_t n_first)
{
	poold_timing t = {.size = sizeof(t)};
	struct fake_daemon d;
	struct cursor value;
	poold_future *f;
	poold *p;
	int r;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), NULL, &f), 0);
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)7);
	r = client_run(p);
	if (n_first > 0) {
		fake_daemon_write(&d, bytes, n_first, NULL, 0);
		r = client_run(p);
	}
	if (r == 0) {
		fake_daemon_write(&d, bytes + n_first, n - n_first, NULL, 0);
		r = client_run(p);
	}
	value = cl_value_encoded(&f->value);
	(void)poold_future_get_timing(f, &t);
	r = snprintf(out, 256, "%d %s %s %zu %02x %llu %llu %llu %llu", r,
		poold_state_name(poold_future_get_state(f)), cl_value_code(&f->value),
		cursor_len(&value), cursor_at_end(&value) ? 0 : value.end[-1],
		(unsigned long long)t.queued_us, (unsigned long long)t.handover_us,
		(unsigned long long)t.run_us, (unsigned long long)t.return_us);
	ck_assert_int_lt(r, 256);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}

/* A message of which a part came before is none that is read at one look. */
START_TEST(both_ways_lead_to_the_same_end)
{
	static const char usual[] = "\x93\x02\xa5"
				    "final\x95\x07\xa4"
				    "done\xa3"
				    "abc\xc0\x84" QUEUED HANDOVER RUN RETURN;
	static const uint8_t values[] = {
		0x00, 0x7f, 0x84, 0x93, 0xa1, 0xc0, 0xc1, 0xc4, 0xcc, 0xd4, 0xd9, 0xff};
	char whole[256], parts[256];

	outcome_of(whole, (const uint8_t *)usual, sizeof(usual) - 1, 0);
	ck_assert_str_eq(whole, "0 done  4 63 1500000 2000000 3000000 4000000");
	for (size_t i = 0; i < sizeof(usual) - 1; i++) {
		uint8_t bytes[sizeof(usual) - 1];

		memcpy(bytes, usual, sizeof(bytes));
		bytes[i] = i % 2 ? bytes[i] ^ 1 : values[i / 2 % sizeof(values)];
		outcome_of(whole, bytes, sizeof(bytes), 0);
		outcome_of(parts, bytes, sizeof(bytes), 1);
		ck_assert_str_eq(whole, parts);
	}
	for (size_t i = 0; i < sizeof(values); i++) {
		uint8_t bytes[sizeof(usual) - 1];

		memcpy(bytes, usual, sizeof(bytes));
		bytes[14] = values[i]; /* where the value begins */
		outcome_of(whole, bytes, sizeof(bytes), 0);
		outcome_of(parts, bytes, sizeof(bytes), 1);
		ck_assert_str_eq(whole, parts);
	}
}
END_TEST

SUITE_MAIN("client_final", times_are_read_in_any_encoding, both_ways_lead_to_the_same_end)
