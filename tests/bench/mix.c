/* Short jobs among a few long ones, on two workers: how long the short ones take, all in all.
 *
 *	mix SOCKET one|two N
 *
 * One job in a hundred runs for 50 ms, the others for 5 us; they come by chance, so that the
 * workers are busy half of the time. one: of the same function, which only the input tells apart;
 * two: of two functions. Beside it stands what the same jobs would take, coming at the same times
 * and running as long, if each worker took the next one from a single queue whenever it is free, at
 * no cost: nobody does better who does not know which jobs are long. Percentiles of short jobs, in
 * us; the first tenth warms up, and does not count. */
#include <math.h>
#include <string.h>

#include "tests/bench/flow.h"
#include "tests/bench/sample.h"

#define N_WORKERS 2
#define LONG_IN	  100
#define LONG_US	  50000
#define SHORT_US  5
/* That workers are busy half of the time. */
#define GAP_NS ((LONG_US + (LONG_IN - 1) * SHORT_US) * 1000.0 / LONG_IN)

struct job {
	bool is_long;
	uint64_t at_ns;	  /* it came */
	uint64_t took_ns; /* until its end was known */
	uint64_t run_ns;
	struct mix *mix;
};

struct mix {
	struct flow flow;
	struct job *jobs;
	unsigned n;
	bool is_one;
	uint64_t noise;
};

/* Above 0, at most 1. */
static double chance(struct mix *m)
{
	m->noise = m->noise * 6364136223846793005u + 1442695040888963407u;
	return (double)((m->noise >> 33) + 1) / (1u << 31);
}

static int on_settled(poold_future *f, void *userdata)
{
	struct job *j = userdata;

	poold_timing t = {.size = sizeof(t)};

	j->took_ns = sample_now_ns() - j->at_ns;
	if (poold_future_get_timing(f, &t) == 0)
		j->run_ns = t.run_us * 1000;
	j->mix->flow.n_settled++;
	j->mix->flow.n_done += poold_future_get_state(f) == POOLD_DONE;
	return 0;
}

static void send(struct mix *m, struct job *j)
{
	const poold_options options = {.size = sizeof(options), .auto_release = 1};
	const char *function = m->is_one || !j->is_long ? "bench/spin" : "bench/sleep";
	uint8_t encoded[9];
	poold *p = m->flow.handle;
	poold_future *f;

	j->mix = m;
	j->at_ns = sample_now_ns();
	flow_check(poold_submit(p, function, flow_number(encoded, j->is_long ? LONG_US : SHORT_US),
			   &options, &f),
		p, "submit");
	flow_check(poold_future_set_callback(f, on_settled, j), p, "callback");
	poold_future_unref(f);
	m->flow.n_sent++;
}

static void run(struct mix *m)
{
	double next_ns = (double)sample_now_ns();

	for (unsigned i = 0; i < m->n; i++) {
		double now_ns;

		next_ns += -log(chance(m)) * GAP_NS;
		m->jobs[i].is_long = chance(m) <= 1.0 / LONG_IN;
		while ((now_ns = (double)sample_now_ns()) < next_ns)
			flow_pump(&m->flow, (uint64_t)((next_ns - now_ns) / 1000));
		send(m, &m->jobs[i]);
	}
	flow_await(&m->flow, m->n);
}

/* What the single queue makes of the same jobs. */
static void idealize(struct job *jobs, unsigned n)
{
	uint64_t free_ns[N_WORKERS] = {0};

	for (unsigned i = 0; i < n; i++) {
		uint64_t *first = free_ns;

		for (unsigned k = 1; k < N_WORKERS; k++)
			if (free_ns[k] < *first)
				first = &free_ns[k];
		*first = (*first > jobs[i].at_ns ? *first : jobs[i].at_ns) + jobs[i].run_ns;
		jobs[i].took_ns = *first - jobs[i].at_ns;
	}
}

static void percentiles(const struct mix *m, double *ret_p50_us, double *ret_p99_us)
{
	struct sample s = sample_new(m->n);

	for (unsigned i = 0; i < m->n; i++)
		if (!m->jobs[i].is_long)
			sample_add(&s, m->jobs[i].took_ns);
	*ret_p50_us = sample_us(&s, 50);
	*ret_p99_us = sample_us(&s, 99);
	free(s.ns);
}

int main(int argc, char **argv)
{
	double p50_us, p99_us, ideal_p50_us, ideal_p99_us;
	struct mix m = {.noise = 1};

	if (argc != 4 || (m.n = (unsigned)strtoul(argv[3], NULL, 10)) == 0) {
		fputs("usage: mix SOCKET one|two N\n", stderr);
		return 2;
	}
	m.is_one = strcmp(argv[2], "one") == 0;
	m.jobs = calloc(m.n, sizeof(*m.jobs));
	if (!m.jobs)
		return 1;
	flow_check(poold_open(&m.flow.handle, argv[1]), NULL, argv[1]);
	run(&m);
	percentiles(&m, &p50_us, &p99_us);
	idealize(m.jobs, m.n);
	percentiles(&m, &ideal_p50_us, &ideal_p99_us);
	printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"ideal_p50_us\": %.1f, \"ideal_p99_us\": "
	       "%.1f}\n",
		p50_us, p99_us, ideal_p50_us, ideal_p99_us);
	poold_unref(m.flow.handle);
	free(m.jobs);
	return 0;
}
