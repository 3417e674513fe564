/* Which size most inputs have is found without a list of sizes: there is one candidate at a time,
 * and it loses its place to the next large one as soon as it is no majority. The remedies look at
 * the last runs, so that one that was followed is soon no longer named.
 */
#include "daemon/core/cost.h"

#include "daemon/core/pool.h"

static void add_moved(struct moved *sum, const struct moved *m)
{
	sum->inline_bytes += m->inline_bytes;
	sum->memfd_bytes += m->memfd_bytes;
	sum->copied_bytes += m->copied_bytes;
}

static void add_timing(struct future_timing *sum, const struct future_timing *t)
{
	sum->queued_us += t->queued_us;
	sum->handover_us += t->handover_us;
	sum->run_us += t->run_us;
	sum->return_us += t->return_us;
}

void cost_add(struct cost *sum, const struct cost *c)
{
	sum->n_runs += c->n_runs;
	sum->object_bytes += c->object_bytes;
	add_timing(&sum->total, &c->total);
	add_moved(&sum->in, &c->in);
	add_moved(&sum->out, &c->out);
}

double cost_share(const struct future_timing *t)
{
	uint64_t all_us = t->run_us + t->handover_us + t->return_us;

	return all_us ? (double)t->run_us / (double)all_us : -1;
}

static void halve(struct cost_window *w)
{
	w->n_runs /= 2;
	w->run_us /= 2;
	w->soon_us /= 2;
	w->handover_us /= 2;
	w->return_us /= 2;
	w->bytes /= 2;
	w->in_copied /= 2;
	w->out_copied /= 2;
}

void cost_learn_run(struct cost *c, const struct future_timing *t)
{
	struct cost_window *w = &c->window;

	c->n_runs++;
	add_timing(&c->total, t);
	if (w->n_runs >= COST_WINDOW)
		halve(w);
	w->n_runs++;
	w->run_us += t->run_us;
	w->soon_us += t->run_us < POOL_SOON_US ? t->run_us : POOL_SOON_US;
	w->handover_us += t->handover_us;
	w->return_us += t->return_us;
}

/* At least 1 ns. The rest apart, lest a long time overflows. */
static uint64_t mean_ns(uint64_t sum_us, uint32_t n)
{
	uint64_t ns = n ? sum_us / n * 1000 + sum_us % n * 1000 / n : 0;

	return ns || !n ? ns : 1;
}

uint64_t cost_mean_run_ns(const struct cost *c)
{
	return mean_ns(c->window.run_us, c->window.n_runs);
}

uint64_t cost_soon_ns(const struct cost *c)
{
	return mean_ns(c->window.soon_us, c->window.n_runs);
}

static void learn_size(struct cost_size *s, uint64_t bytes)
{
	if (s->n_of >= COST_WINDOW) {
		s->n_same /= 2;
		s->n_of /= 2;
	}
	s->n_of++;
	if (bytes <= COST_LARGE_BYTES)
		return;
	if (bytes == s->bytes) {
		s->n++;
		s->n_same++;
	} else if (s->n_same * 2 <= s->n_of) {
		*s = (struct cost_size){.bytes = bytes, .n = 1, .n_same = 1, .n_of = 1};
	}
}

static uint64_t moved_bytes(const struct moved *m)
{
	return m->inline_bytes + m->memfd_bytes;
}

void cost_learn_job(struct cost *c, const struct future *f)
{
	struct moved in = future_in(f), out = future_out(f);

	add_moved(&c->in, &in);
	add_moved(&c->out, &out);
	if (future_terms(f))
		c->object_bytes += future_terms(f)->object_bytes;
	if (!f->run->started_us)
		return;
	learn_size(&c->size, moved_bytes(&in));
	c->window.bytes += moved_bytes(&in) + moved_bytes(&out);
	c->window.in_copied += in.copied_bytes;
}

void cost_copied_out(struct future *f, uint64_t bytes)
{
	bool is_final = future_state_is_final(f->state);

	if (is_final)
		f->end.copied_bytes += bytes;
	else if (f->run != &run_none)
		f->run->out.copied_bytes += bytes;
	if (!f->function || !is_final)
		return;
	f->function->cost.out.copied_bytes += bytes;
	f->function->cost.window.out_copied += bytes;
}

/* ---- remedies ---- */

static bool is_low(const struct cost_window *w)
{
	return w->run_us < w->handover_us + w->return_us;
}

/* Nine of ten inputs. */
static bool is_one_size(const struct cost_size *s)
{
	return s->n_same >= COST_RUNS_LEAST && (uint64_t)s->n_same * 10 >= (uint64_t)s->n_of * 9;
}

static bool is_much(const struct cost_window *w, uint64_t copied)
{
	return copied >= (uint64_t)w->n_runs * COST_COPIED_BYTES && copied >= w->bytes / 2;
}

unsigned cost_remedies(const struct cost *c, bool is_pure)
{
	const struct cost_window *w = &c->window;
	unsigned set = 0;

	if (w->n_runs < COST_RUNS_LEAST || !is_low(w))
		return 0;
	if (is_one_size(&c->size))
		set |= 1u << COST_REMEDY_PUT;
	if (is_much(w, w->in_copied))
		set |= 1u << COST_REMEDY_MEMFD;
	if (is_much(w, w->out_copied))
		set |= 1u << COST_REMEDY_FDS;
	if (set) /* the next one is told when this is mended */
		return set;
	if (w->run_us >= (uint64_t)w->n_runs * COST_SHORT_US)
		return 1u << COST_REMEDY_LARGER;
	return 1u << (is_pure ? COST_REMEDY_BATCH : COST_REMEDY_PURE);
}
