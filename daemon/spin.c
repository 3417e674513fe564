/* A spin pays if what comes next comes soon: a worker's answer to a short job, the next call of a
 * client that makes one after the other. It costs a CPU meanwhile, which on a busy machine may be
 * the one that the worker or the client needs; then it is in vain, and worse than a sleep. Neither
 * can be known before, but as it was it will be.
 *
 *	off ──► on	several sleeps in a row were short
 *	on ──► off	more than one spin of nine was in vain: the next time it takes twice as many sleeps
 *	on ──► off	a spin took much longer than it may: somebody else had the CPU in between
 *
 * The last is worst. Who sleeps is given a CPU as soon as he wakes up, who spins uses up his share
 * of it, and then waits for his turn behind those who compute, for milliseconds. So it takes many
 * more sleeps from then on, and many spins that come to something until it takes fewer again.
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
#define VAIN_MORE     2u
#define PREEMPT_MORE  16u

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

static void turn_off(struct spin *s, unsigned more)
{
	s->is_on = false;
	s->n_short = 0;
	s->n_wanted = s->n_wanted * more < WANTED_MOST ? s->n_wanted * more : WANTED_MOST;
}

/* Those that come to something make it take fewer sleeps, by and by. */
static void note_success(struct spin *s)
{
	if (++s->balance < BALANCE_MOST)
		return;
	s->balance = BALANCE_FIRST;
	if (s->n_wanted > WANTED_LEAST)
		s->n_wanted /= 2;
}

void spin_note_spin(struct spin *s, bool has_come, uint64_t took_us, uint64_t most_us)
{
	bool was_preempted = took_us > 2 * most_us;

	s->n_spins++;
	s->n_vain += !has_come || was_preempted;
	if (was_preempted)
		turn_off(s, PREEMPT_MORE);
	else if (has_come)
		note_success(s);
	else if (s->balance > VAIN_COSTS)
		s->balance -= VAIN_COSTS;
	else
		turn_off(s, VAIN_MORE);
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
	uint64_t from_us, took_us;
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
	do {
		took_us = clock_now_us() - from_us;
		has_come = look(base, &r);
	} while (!has_come && took_us < most_us);
	spin_note_spin(s, has_come, took_us, most_us);
	return has_come ? r : event_base_loop(base, EVLOOP_ONCE);
}
