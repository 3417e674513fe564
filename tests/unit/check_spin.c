#include "daemon/spin.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/suite.h"

enum { MOST_US = 50, LEAST = 8 };

static struct spin spin;

static void setup(void)
{
	spin_init(&spin);
	spin.n_cpus = 2;
}

static void sleep_short(unsigned n)
{
	while (n-- > 0)
		spin_note_sleep(&spin, 2 * MOST_US, MOST_US);
}

/* How many short sleeps it takes. */
static unsigned turn_on(void)
{
	unsigned n = 0;

	for (; !spin.is_on; n++)
		sleep_short(1);
	return n;
}

static void spin_in_vain(void)
{
	spin_note_spin(&spin, false, MOST_US, MOST_US);
}

static void spin_well(void)
{
	spin_note_spin(&spin, true, 2 * MOST_US, MOST_US);
}

static unsigned turn_off(void)
{
	unsigned n = 0;

	for (; spin.is_on; n++)
		spin_in_vain();
	return n;
}

START_TEST(test_several_short_sleeps_in_a_row_turn_it_on)
{
	setup();
	ck_assert(!spin.is_on);
	sleep_short(LEAST - 1);
	ck_assert(!spin.is_on);
	spin_note_sleep(&spin, 2 * MOST_US + 1, MOST_US);
	sleep_short(LEAST - 1);
	ck_assert(!spin.is_on);
	sleep_short(1);
	ck_assert(spin.is_on);
}
END_TEST

START_TEST(test_those_in_vain_turn_it_off_for_longer_each_time)
{
	unsigned n = LEAST;

	setup();
	for (int i = 0; i < 20; i++) {
		ck_assert_uint_eq(turn_on(), n);
		ck_assert_uint_eq(turn_off(), 4);
		n = n < 8192 ? 2 * n : 8192;
	}
	ck_assert_uint_eq(spin.n_spins, 80);
	ck_assert_uint_eq(spin.n_vain, 80);
}
END_TEST

START_TEST(test_one_of_nine_may_be_in_vain)
{
	setup();
	turn_on();
	for (int i = 0; i < 9000; i++)
		i % 9 == 0 ? spin_in_vain() : spin_well();
	ck_assert(spin.is_on);
	for (int i = 0; i < 900; i++)
		i % 8 == 0 ? spin_in_vain() : spin_well();
	ck_assert(!spin.is_on);
}
END_TEST

START_TEST(test_where_they_pay_what_was_in_vain_is_forgotten)
{
	setup();
	for (int i = 0; i < 5; i++) {
		turn_on();
		turn_off();
	}
	ck_assert_uint_gt(turn_on(), LEAST);
	for (int i = 0; i < 200; i++)
		spin_well();
	turn_off();
	ck_assert_uint_eq(turn_on(), 2 * LEAST);
}
END_TEST

/* Whether the event came or not. */
START_TEST(test_where_others_want_the_cpu_it_is_off_for_much_longer)
{
	static const unsigned wanted[] = {LEAST, 16 * LEAST, 256 * LEAST, 8192, 8192};

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		ck_assert_uint_eq(turn_on(), wanted[i]);
		spin_note_spin(&spin, i % 2, 2 * MOST_US + 1, MOST_US);
		ck_assert(!spin.is_on);
		ck_assert_uint_eq(spin.n_vain, i + 1);
	}
}
END_TEST

START_TEST(test_never_without_a_cpu_to_spare)
{
	setup();
	ck_assert(spin_may_be(&spin, 0, MOST_US));
	ck_assert(spin_may_be(&spin, 1, MOST_US));
	ck_assert(!spin_may_be(&spin, 2, MOST_US));
	ck_assert(!spin_may_be(&spin, 0, 0));
	spin.n_cpus = 1;
	ck_assert(!spin_may_be(&spin, 0, MOST_US));
}
END_TEST

START_TEST(test_the_cpus_are_those_that_it_may_use)
{
	cpu_set_t all, one;
	int first = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	spin_init(&spin);
	ck_assert_uint_eq(spin.n_cpus, (unsigned)CPU_COUNT(&all));
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	spin_init(&spin);
	ck_assert_uint_eq(spin.n_cpus, 1);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
}
END_TEST

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	++*(unsigned *)arg;
}

/* What is there is handled by the spin; what is not, by the sleep behind it. */
START_TEST(test_a_wait_ends_with_an_event)
{
	const struct timeval later = {.tv_usec = 20000};
	struct event_base *base = event_base_new();
	int fd = eventfd(1, EFD_CLOEXEC);
	unsigned n = 0;
	struct event *there = event_new(base, fd, EV_READ, on_event, &n);
	struct event *late = evtimer_new(base, on_event, &n);

	setup();
	turn_on();
	event_add(there, NULL);
	ck_assert_int_eq(spin_wait(&spin, base, 0, 1000000), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(spin.n_spins, 1);
	ck_assert_uint_eq(spin.n_vain, 0);
	event_add(late, &later);
	ck_assert_int_eq(spin_wait(&spin, base, 0, 1), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(spin.n_spins, 2);
	ck_assert_uint_eq(spin.n_vain, 1);
	event_add(there, NULL);
	ck_assert_int_eq(spin_wait(&spin, base, 2, 1000000), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(spin.n_spins, 2);
	event_free(there);
	event_free(late);
	event_base_free(base);
	close(fd);
}
END_TEST

SUITE_MAIN("spin", test_several_short_sleeps_in_a_row_turn_it_on,
	test_those_in_vain_turn_it_off_for_longer_each_time, test_one_of_nine_may_be_in_vain,
	test_where_they_pay_what_was_in_vain_is_forgotten,
	test_where_others_want_the_cpu_it_is_off_for_much_longer, test_never_without_a_cpu_to_spare,
	test_the_cpus_are_those_that_it_may_use, test_a_wait_ends_with_an_event)
