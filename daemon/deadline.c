/* Most turns move the next deadline by a little, and nearly always later: jobs end before their
 * clocks do. So the timer is set only when it would ring too late. One that rings too early costs a
 * turn in which nothing is due, and there is at most one of these for each time that it was set.
 */
#include "daemon/deadline.h"

#include <errno.h>
#include <sys/timerfd.h>

#include "daemon/core/heap.h"

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct deadline *d = arg;

	d->armed_us = HEAP_NEVER;
}

void deadline_deinit(struct deadline *d)
{
	if (d->event)
		event_free(d->event);
	d->event = NULL;
	d->fd = fd_close(d->fd);
}

int deadline_init(struct deadline *d, struct event_base *base)
{
	*d = (struct deadline){.armed_us = HEAP_NEVER};
	d->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	/* By its edge, so it need not be read. */
	d->event = event_new(base, d->fd, EV_READ | EV_ET | EV_PERSIST, on_ring, d);
	if (d->event && event_add(d->event, NULL) == 0)
		return 0;
	deadline_deinit(d);
	return -ENOMEM;
}

void deadline_set(struct deadline *d, uint64_t at_us)
{
	struct itimerspec at = {
		.it_value.tv_sec = (time_t)(at_us / 1000000),
		.it_value.tv_nsec = (long)(at_us % 1000000) * 1000,
	};

	if (at_us >= d->armed_us)
		return;
	if (at_us == 0)
		at.it_value.tv_nsec = 1; /* 0 would disarm it */
	if (timerfd_settime(d->fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
		d->armed_us = at_us;
}
