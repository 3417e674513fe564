#include "client/poolctl/map_report.h"

#include <errno.h>

#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "proto/quantity.h"

#define BAR_EVERY_US 100000

int map_report_open(struct map_report *m, const char *log, bool bar, size_t total)
{
	*m = (struct map_report){
		.bar = bar && isatty(STDERR_FILENO) == 1,
		.total = total,
		.start_us = loop_now(),
	};
	if (!log)
		return 0;
	m->log = fopen(log, "we");
	if (!m->log)
		return -errno;
	fputs("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n",
		m->log);
	return 0;
}

void map_report_end(
	struct map_report *m, const struct map_line *line, const struct ending *e, poold_future *f)
{
	poold_timing t = {.size = sizeof(t)};

	if (e->state == POOLD_DONE)
		m->n_done++;
	else
		m->n_failed++;
	if (f && poold_future_get_timing(f, &t) >= 0) {
		m->run_us += t.run_us;
		m->handover_us += t.handover_us;
		m->return_us += t.return_us;
	}
	if (m->log)
		fprintf(m->log, "%llu\t:\t%.3f\t%10.3f\t%zu\t%zu\t%d\t%d\t%s\n",
			(unsigned long long)line->seq, line->started, (double)t.run_us / 1e6,
			line->sent, line->received, e->signal_no ? 0 : e->exit.code, e->signal_no,
			line->command);
}

static double seconds_since(uint64_t start_us)
{
	return (double)(loop_now() - start_us) / 1e6;
}

void map_report_draw(struct map_report *m)
{
	size_t n = m->n_done + m->n_failed;
	double seconds = seconds_since(m->start_us);
	char left[QUANTITY_TEXT];
	uint64_t now = loop_now();

	if (!m->bar || now < m->bar_at_us)
		return;
	m->bar_at_us = now + BAR_EVERY_US;
	m->bar_is_shown = true;
	fprintf(stderr, "\r\033[K%zu", n);
	if (m->total)
		fprintf(stderr, "/%zu", m->total);
	fprintf(stderr, " ended, %zu failed, %.0f/s", m->n_failed,
		seconds > 0 ? (double)n / seconds : 0);
	if (m->total && n)
		fprintf(stderr, ", %s left",
			quantity_time_text(seconds / (double)n * (double)(m->total - n), left));
}

void map_report_clear(struct map_report *m)
{
	if (!m->bar_is_shown)
		return;
	fputs("\r\033[K", stderr);
	m->bar_is_shown = false;
	m->bar_at_us = 0;
}

void map_report_summary(const struct map_report *m)
{
	double seconds = seconds_since(m->start_us);
	uint64_t all_us = m->run_us + m->handover_us + m->return_us;
	char text[QUANTITY_TEXT];

	output_complain("%zu done, %zu failed in %s, %.0f jobs/s, work share %.3f", m->n_done,
		m->n_failed, quantity_time_text(seconds, text),
		seconds > 0 ? (double)(m->n_done + m->n_failed) / seconds : 0,
		all_us ? (double)m->run_us / (double)all_us : 0);
}

int map_report_close(struct map_report *m)
{
	FILE *log = take_ptr(m->log);
	bool failed;

	map_report_clear(m);
	if (!log)
		return 0;
	failed = ferror(log);
	errno = EIO;
	return fclose(log) == EOF || failed ? -errno : 0;
}
