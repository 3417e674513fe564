/* The two clocks run at the same rate, so their difference changes only when the clock is set or
 * the machine slept. Whatever else a look finds is the time between two readings: such a difference
 * must not move the times of a future from one answer to the next.
 */
#include "daemon/clock.h"

/* A change is more than this; a look that took longer is none. */
#define CHANGE_US 1000
#define LOOK_US	  100

uint64_t clock_unix_us(uint64_t at_us)
{
	static uint64_t offset_us;
	uint64_t before_us = clock_now_us(), unix_us = clock_us(CLOCK_REALTIME);
	uint64_t offset_now_us = unix_us - before_us;
	uint64_t change_us = offset_now_us > offset_us ? offset_now_us - offset_us
						       : offset_us - offset_now_us;

	if (!offset_us || (change_us > CHANGE_US && clock_now_us() - before_us < LOOK_US))
		offset_us = offset_now_us;
	return at_us + offset_us;
}
