/* Asking the kernel for processor time costs more than a small function runs. So it is asked only
 * around runs that are long; a shorter run is told with its wall time, which it cannot exceed on
 * its one thread. */
#include "daemon/worker/meter.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "proto/base.h"

#define LONG_RUN_US 200u
/* Short runs leave little behind, and to ask takes as long as some of them: one in so many asks for
 * the size of memory. */
#define RSS_EVERY 256u

uint64_t meter_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* The second number of the file, in pages. By hand: each stretch of the C library that a worker
 * enters first here is a page fault more at its start. */
uint64_t meter_rss_kib(void)
{
	static uint64_t page_kib; /* known since the zygote asked */
	cleanup_fd int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	uint64_t pages = 0;
	char text[128], *at = text;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	if (!page_kib)
		page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	text[n] = '\0';
	while (*at && *at++ != ' ')
		;
	for (; *at >= '0' && *at <= '9'; at++)
		pages = pages * 10 + (uint64_t)(*at - '0');
	return pages * page_kib;
}

static void ask(struct meter_base *base)
{
	struct rusage ru;

	if (getrusage(RUSAGE_SELF, &ru) < 0)
		return;
	base->cpu_us = meter_timeval_us(&ru.ru_utime) + meter_timeval_us(&ru.ru_stime);
	base->is_fresh = true;
}

uint64_t meter_begin(struct meter_base *base)
{
	*base = (struct meter_base){.rss_kib = meter_rss_kib(), .n_since_rss = 1};
	return base->rss_kib;
}

void meter_start(struct meter *m, struct meter_base *base, uint64_t now_us)
{
	if (base->is_long_running)
		ask(base);
	*m = (struct meter){.started_us = now_us};
}

void meter_stop(struct meter *m, struct meter_base *base, uint64_t now_us)
{
	uint64_t before = base->cpu_us;
	bool was_fresh = base->is_fresh, is_told = m->cpu_us > 0 || m->rss_kib > 0;

	m->run_us = now_us - m->started_us;
	base->is_fresh = false;
	base->is_long_running = m->run_us >= LONG_RUN_US && !is_told;
	if (is_told)
		return;
	m->cpu_us = m->run_us;
	if (base->is_long_running) {
		ask(base);
		if (was_fresh || base->cpu_us - before < m->run_us)
			m->cpu_us = base->cpu_us - before;
	}
	if (base->is_long_running || base->n_since_rss++ % RSS_EVERY == 0)
		base->rss_kib = meter_rss_kib();
	m->rss_kib = base->rss_kib;
}

void meter_set_rusage(struct meter *m, const struct rusage *ru)
{
	m->cpu_us = meter_timeval_us(&ru->ru_utime) + meter_timeval_us(&ru->ru_stime);
	m->rss_kib = (uint64_t)ru->ru_maxrss;
}

uint8_t *meter_encode(uint8_t *at, const struct meter *m)
{
	at = encode_map(at, 5);
	at = encode_key(at, "run_us");
	at = encode_uint(at, m->run_us);
	at = encode_key(at, "cpu_us");
	at = encode_uint(at, m->cpu_us);
	at = encode_key(at, "rss_kib");
	at = encode_uint(at, m->rss_kib);
	at = encode_key(at, "copied");
	at = encode_uint(at, m->copied);
	at = encode_key(at, "started_us");
	return encode_uint(at, m->started_us);
}
