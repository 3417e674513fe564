/* A spin pays if what comes next comes soon: a worker's answer to a short job, the next call of a
 * client that makes one after the other. It costs a CPU meanwhile, which on a busy machine may be
 * the one that the worker or the client needs; then it is in vain, and worse than a sleep. Neither
 * can be known before, but as it was it will be.
 *
 *	off ──► on	several sleeps in a row were short
 *	on ──► off	more than one spin of nine was in vain: the next time it takes twice as many sleeps
 *
 * So a machine where it never pays loses some spins in ten thousand waits, and an idle daemon,
 * which sleeps long, none. A sleep is short up to twice the time of a spin, since waking up is a
 * part of it.
 */
#include "daemon/spin.h"

#include <sched.h>

#include "daemon/clock.h"

#define WANTED_LEAST  8u
#define WANTED_MOST   8192u
#define BALANCE_FIRST 32u
#define BALANCE_MOST  64u
#define VAIN_COSTS    8u

void spin_init(struct spin *s)
{
	cpu_set_t mine;

	*s = (struct spin){.n_wanted = WANTED_LEAST, .n_cpus = 1};
	if (sched_getaffinity(0, sizeof(mine), &mine) == 0)
		s->n_cpus = (unsigned)CPU_COUNT(&mine);
}

void spin_note_sleep(struct spin *s, uint64_t took_us, uint64_t most_us)
{
	s->n_short = took_us <= 2 * most_us ? s->n_short + 1 : 0;
	s->is_on = s->n_short >= s->n_wanted;
	s->balance = BALANCE_FIRST;
}

void spin_note_spin(struct spin *s, bool was_in_vain)
{
	s->n_spins++;
	s->n_vain += was_in_vain;
	if (!was_in_vain) {
		s->balance += s->balance < BALANCE_MOST;
		if (s->balance == BALANCE_MOST)
			s->n_wanted = WANTED_LEAST;
	} else if (s->balance > VAIN_COSTS) {
		s->balance -= VAIN_COSTS;
	} else {
		s->is_on = false;
		s->n_short = 0;
		s->n_wanted = s->n_wanted < WANTED_MOST ? 2 * s->n_wanted : WANTED_MOST;
	}
}

bool spin_may_be(const struct spin *s, unsigned n_running, uint64_t most_us)
{
	return most_us > 0 && s->n_cpus > 1 && n_running < s->n_cpus;
}

/* Handles what is there. Whether there was something, or the loop failed. */
static bool look(struct event_base *base, int *ret)
{
	*ret = event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	return *ret < 0 || event_base_get_max_events(base, EVENT_BASE_COUNT_ACTIVE, true) > 0;
}

int spin_wait(struct spin *s, struct event_base *base, unsigned n_running, uint64_t most_us)
{
	uint64_t from_us;
	bool has_come;
	int r;

	if (!spin_may_be(s, n_running, most_us))
		return event_base_loop(base, EVLOOP_ONCE);
	from_us = clock_now_us();
	if (!s->is_on) {
		r = event_base_loop(base, EVLOOP_ONCE);
		spin_note_sleep(s, clock_now_us() - from_us, most_us);
		return r;
	}
	event_base_get_max_events(base, EVENT_BASE_COUNT_ACTIVE, true);
	do
		has_come = look(base, &r);
	while (!has_come && clock_now_us() - from_us < most_us);
	spin_note_spin(s, !has_come);
	return has_come ? r : event_base_loop(base, EVLOOP_ONCE);
}
