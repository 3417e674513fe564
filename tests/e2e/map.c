/* Maps with a real daemon at $POOLD_SOCKET, started by map.py, which looks at what was run. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/poold-command.h"
#include "client/poold-map.h"
#include "tests/unit/suite.h"

#define LINES 500u

static poold *p;
static unsigned n_fds;
static poold_map_options options;

static void set_up(void)
{
	n_fds = suite_open_fds();
	options = (poold_map_options)POOLD_MAP_OPTIONS_INIT;
	ck_assert_int_eq(poold_open(&p, NULL), 0);
}

static void tear_down(void)
{
	poold_unref(p);
	ck_assert_uint_eq(suite_open_fds(), n_fds);
}

static poold_map *begin(const char *function)
{
	poold_map *m = NULL;

	ck_assert_int_eq(poold_map_new(p, function, &options, &m), 0);
	return m;
}

/* The i-th input is make()'s; look() sees the end of each. Returns how many came out. */
static unsigned run(poold_map *m, unsigned n, poold_input (*make)(unsigned i),
	void (*look)(const poold_map_item *item))
{
	poold_map_item item = {.size = sizeof(item)};
	unsigned n_added = 0, n_out = 0;
	int r;

	for (;;) {
		for (; n_added < n; n_added++) {
			r = poold_map_add(m, make(n_added));
			if (r == -EAGAIN)
				break;
			ck_assert_msg(r == 0, "%s", poold_get_error_text(p));
		}
		r = poold_map_next(m, POOLD_FOREVER, &item);
		if (r == -ENOENT)
			return n_out;
		ck_assert_int_eq(r, 1);
		look(&item);
		n_out++;
	}
}

static poold_input make_number(unsigned i)
{
	static uint8_t number[5];

	memcpy(number,
		(uint8_t[]){0xce, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			(uint8_t)i},
		5);
	return poold_input_encoded(number, sizeof(number));
}

static unsigned next_index;
static uint8_t seen[100000];

static void look_at_number(const poold_map_item *item)
{
	uint8_t number[5];

	ck_assert_msg(item->state == POOLD_DONE, "%llu: %s", (unsigned long long)item->index,
		item->message);
	memcpy(number, make_number((unsigned)item->index).data, sizeof(number));
	ck_assert_uint_eq(item->encoded_len, sizeof(number));
	ck_assert_mem_eq(item->encoded, number, sizeof(number));
	ck_assert_uint_eq(seen[item->index]++, 0);
	if (!options.unordered)
		ck_assert_uint_eq(item->index, next_index++);
}

START_TEST(results_come_item_by_item)
{
	static const uint32_t chunks[] = {0, 1, 7, 1000, UINT32_MAX};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(chunks); i++) {
		unsigned n = chunks[i / 2] == 1 ? 1000 : 30000;
		poold_map *m;

		options.chunk = chunks[i / 2];
		options.unordered = i % 2;
		options.window = i % 3 ? 0 : 2;
		memset(seen, 0, sizeof(seen));
		next_index = 0;
		m = begin("bench/echo");
		ck_assert_uint_eq(run(m, n, make_number, look_at_number), n);
		poold_map_free(m);
	}
}
END_TEST

/* ---- lines, which are left in a file ---- */

static const char *bad_word;
static unsigned bad_every, n_bad, n_lost;

static poold_input make_line(unsigned i)
{
	static char line[64];

	snprintf(line, sizeof(line), "%s %u %d\n",
		bad_word && i % bad_every == bad_every - 1 ? bad_word : "line", i, (int)getpid());
	return poold_input_text(line);
}

static void look_at_line(const poold_map_item *item)
{
	bool is_bad = bad_word && item->index % bad_every == bad_every - 1;
	const char *line = make_line((unsigned)item->index).data;
	const void *bytes;
	size_t len;

	if (item->state == POOLD_LOST) {
		n_lost++;
		ck_assert_str_eq(item->code, "lost");
		ck_assert_int_eq(poold_map_get_bytes(item, &bytes, &len), -ENODATA);
	} else if (is_bad) {
		ck_assert_int_eq(item->state, POOLD_FAILED);
		ck_assert_str_eq(item->code, "failed");
		ck_assert_str_eq(item->message, "line: Not a directory");
		n_bad++;
	} else {
		ck_assert_msg(item->state == POOLD_DONE, "%s: %s", item->code, item->message);
		ck_assert_int_eq(poold_map_get_bytes(item, &bytes, &len), 0);
		ck_assert_uint_eq(len, strlen(line));
		ck_assert_mem_eq(bytes, line, len);
	}
}

START_TEST(an_item_that_fails_costs_itself_alone)
{
	static const uint32_t chunks[] = {0, 1, 2, 64, 1000};

	bad_word = "fails";
	bad_every = 7;
	for (unsigned i = 0; i < ARRAY_SIZE(chunks); i++) {
		poold_map *m;

		options.chunk = chunks[i];
		n_bad = 0;
		m = begin("mortal/line");
		ck_assert_uint_eq(run(m, LINES, make_line, look_at_line), LINES);
		ck_assert_uint_eq(n_bad, LINES / bad_every);
		poold_map_free(m);
	}
}
END_TEST

START_TEST(a_death_costs_the_items_of_its_job)
{
	poold_map *m;

	bad_word = "dies";
	bad_every = 200;
	options.chunk = 10;
	m = begin("mortal/line");
	ck_assert_uint_eq(run(m, LINES, make_line, look_at_line), LINES);
	ck_assert_uint_ge(n_lost, LINES / bad_every);
	ck_assert_uint_le(n_lost, LINES / bad_every * 10);
	poold_map_free(m);
}
END_TEST

/* ---- what is large ---- */

static size_t size_of(unsigned i)
{
	return i % 10 == 3 ? 200000 : i % 10 == 6 ? 30000 : 100;
}

static poold_input make_bytes(unsigned i)
{
	static uint8_t bytes[200000];

	memset(bytes, (int)i, sizeof(bytes));
	return poold_input_bytes(bytes, size_of(i));
}

static void look_at_bytes(const poold_map_item *item)
{
	const uint8_t *bytes;
	size_t len;

	ck_assert_int_eq(poold_map_get_bytes(item, (const void **)&bytes, &len), 0);
	ck_assert_uint_eq(len, size_of((unsigned)item->index));
	ck_assert_uint_eq(bytes[0], (uint8_t)item->index);
	ck_assert_uint_eq(bytes[len - 1], (uint8_t)item->index);
}

START_TEST(large_items_go_by_themselves)
{
	poold_map *m = begin("bench/echo");

	ck_assert_uint_eq(run(m, 300, make_bytes, look_at_bytes), 300);
	poold_map_free(m);
}
END_TEST

static unsigned n_too_large;

static poold_input make_size(unsigned i)
{
	return make_number(i < 5000 ? 10 : 9000);
}

static void look_at_size(const poold_map_item *item)
{
	const void *bytes;
	size_t len;

	if (item->state == POOLD_DONE) {
		ck_assert_int_eq(poold_map_get_bytes(item, &bytes, &len), 0);
		ck_assert_uint_eq(len, item->index < 5000 ? 10 : 9000);
		return;
	}
	ck_assert_int_eq(item->state, POOLD_FAILED);
	ck_assert_str_eq(item->code, "too_large");
	n_too_large++;
}

/* Those that are out by then; the next ones are fewer in a job. */
START_TEST(results_that_grow_are_too_large_for_few)
{
	poold_map *m;

	options.chunk = 1000;
	m = begin("bench/fill");
	ck_assert_uint_eq(run(m, 7000, make_size, look_at_size), 7000);
	ck_assert_uint_gt(n_too_large, 0);
	ck_assert_uint_lt(n_too_large, 100);
	poold_map_free(m);
}
END_TEST

START_TEST(what_is_no_item_is_refused_alone)
{
	static const uint8_t deep[] =
		"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0";
	static uint8_t long_bin[1 << 20] = {0xc6, 0, 0xf, 0xff, 0xfb};
	poold_map *m = begin("bench/noop");
	poold_map_item item = {.size = sizeof(item)};

	ck_assert_int_eq(poold_map_add(m, poold_input_encoded("\xc1", 1)), -EBADMSG);
	ck_assert_int_eq(poold_map_add(m, poold_input_encoded(deep, sizeof(deep) - 1)), -EBADMSG);
	ck_assert_int_eq(
		poold_map_add(m, poold_input_encoded(long_bin, sizeof(long_bin))), -EMSGSIZE);
	ck_assert_int_eq(poold_map_next(m, POOLD_FOREVER, &item), -ENOENT);
	ck_assert_int_eq(poold_map_add(m, poold_input_encoded(deep + 1, sizeof(deep) - 2)), 0);
	ck_assert_int_eq(poold_map_next(m, POOLD_FOREVER, &item), 1);
	ck_assert_uint_eq(item.index, 0);
	ck_assert_int_eq(poold_map_next(m, POOLD_FOREVER, &item), -ENOENT);
	poold_map_free(m);
}
END_TEST

/* ---- what the daemon refuses, commands, ends from outside ---- */

static const char *wanted_code;

static void look_at_refusal(const poold_map_item *item)
{
	ck_assert_int_eq(item->state, POOLD_REFUSED);
	ck_assert_str_eq(item->code, wanted_code);
}

START_TEST(refusals_are_those_of_the_items)
{
	poold_map *m;

	wanted_code = "unknown_function";
	m = begin("bench/nothing");
	ck_assert_uint_eq(run(m, 1000, make_number, look_at_refusal), 1000);
	poold_map_free(m);
	wanted_code = "bad_request";
	options.chunk = 10;
	m = begin("exec");
	ck_assert_uint_eq(run(m, 100, make_number, look_at_refusal), 100);
	poold_map_free(m);
}
END_TEST

static poold_command *command;

static poold_input make_command(unsigned i)
{
	return poold_input_command(command);
}

static void look_at_exit(const poold_map_item *item)
{
	int code = -1;

	ck_assert_int_eq(item->state, POOLD_FAILED);
	ck_assert_int_eq(poold_future_get_exit(item->future, &code, NULL), 0);
	ck_assert_int_eq(code, 3);
}

START_TEST(commands_are_items_of_one)
{
	poold_map *m;

	ck_assert_int_eq(poold_command_new(&command), 0);
	ck_assert_int_eq(poold_command_set_shell(command, "exit 3"), 0);
	options.chunk = 1;
	m = begin("exec");
	ck_assert_uint_eq(run(m, 5, make_command, look_at_exit), 5);
	poold_map_free(m);
	poold_command_free(command);
}
END_TEST

static poold_input make_minute(unsigned i)
{
	return make_number(60000000);
}

static unsigned n_cancelled;

static void look_at_cancelled(const poold_map_item *item)
{
	ck_assert_int_eq(item->state, POOLD_CANCELLED);
	ck_assert_str_eq(item->code, "cancelled");
	n_cancelled++;
}

START_TEST(all_can_be_cancelled)
{
	poold_map_item item = {.size = sizeof(item)};
	poold_map *m;

	options.chunk = 3;
	options.window = 4;
	m = begin("bench/sleep");
	for (unsigned i = 0; i < 14; i++)
		ck_assert_int_eq(poold_map_add(m, make_minute(i)), 0);
	ck_assert_int_eq(poold_map_next(m, 1000, &item), 0);
	ck_assert_int_eq(poold_map_cancel(m, POOLD_CANCEL_TERM, "enough"), 0);
	ck_assert_uint_eq(run(m, 0, make_minute, look_at_cancelled), 14);
	ck_assert_uint_eq(n_cancelled, 14);
	poold_map_free(m);
}
END_TEST

START_TEST(a_map_may_be_left)
{
	poold_options job = POOLD_OPTIONS_INIT;
	poold_map_item item = {.size = sizeof(item)};
	poold_map *m;

	job.attached = 1;
	options.job = &job;
	m = begin("bench/sleep");
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(poold_map_add(m, make_minute(i)), 0);
	ck_assert_int_eq(poold_map_next(m, 1000, &item), 0);
	poold_map_free(m);
	m = begin("bench/echo");
	ck_assert_int_eq(poold_map_add(m, make_number(1)), 0);
	poold_map_free(m);
}
END_TEST

static unsigned n_crowded;

static void look_at_any(const poold_map_item *item)
{
	ck_assert_msg(item->state == POOLD_DONE, "%s: %s", item->code, item->message);
	n_crowded++;
}

/* The daemon has room for few jobs. */
START_TEST(a_small_quota_is_enough)
{
	poold_map *m;

	options.chunk = 5;
	m = begin("bench/noop");
	ck_assert_uint_eq(run(m, 20000, make_number, look_at_any), 20000);
	ck_assert_uint_eq(n_crowded, 20000);
	poold_map_free(m);
}
END_TEST

SUITE_MAIN_WITH("map", set_up, tear_down, results_come_item_by_item,
	an_item_that_fails_costs_itself_alone, a_death_costs_the_items_of_its_job,
	large_items_go_by_themselves, results_that_grow_are_too_large_for_few,
	what_is_no_item_is_refused_alone, refusals_are_those_of_the_items,
	commands_are_items_of_one, all_can_be_cancelled, a_map_may_be_left, a_small_quota_is_enough)
