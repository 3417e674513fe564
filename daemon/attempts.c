/* A run that was not the end is packed once, when it ends, as the map that `info` shows: the core
 * keeps the bytes, charged, and what they were made from goes. Large details, and those with fds,
 * stay out: code and message are kept of every one.
 */
#include "daemon/attempts.h"

#include "daemon/clock.h"
#include "daemon/extra.h"
#include "daemon/failure.h"
#include "daemon/payload.h"
#include "proto/outcome.h"

/* Details of a loss fit: with eight of them an `info` is still a small part of a message. */
#define DETAILS_BYTES (5u * 1024u)
#define MAP_BYTES     (DETAILS_BYTES + 8u * 1024u)

static uint64_t started_us(const struct future *f)
{
	return f->run->started_us ? f->run->started_us : f->run->head_us;
}

static void pack_head(struct bufpack *p, unsigned attempt, enum future_state state)
{
	bufpack_text(p, "attempt");
	bufpack_uint(p, attempt);
	bufpack_text(p, "state");
	bufpack_text(p, outcome_state_name((enum outcome_state)state));
}

static void pack_time(struct bufpack *p, const char *key, uint64_t at_us)
{
	bufpack_text(p, key);
	bufpack_seconds(p, clock_unix_us(at_us));
}

static void pack_error(struct bufpack *p, const struct future *f)
{
	const struct payload *v = future_value(f);

	bufpack_text(p, "error");
	failure_pack_head(p, f);
	if (!v)
		failure_pack_details(p, f);
	else if (!payload_is_spilled(v) && !v->n_fds && v->len <= DETAILS_BYTES)
		bufpack_raw(p, v->bytes, v->len);
	else
		bufpack_map(p, 0);
}

struct payload *attempts_describe(struct future *f, enum future_state state, uint64_t *ret_bytes)
{
	cleanup(buf_deinit) struct buf b = BUF_INIT(MAP_BYTES);
	struct payload *map;
	const char *reason;
	struct bufpack p;

	bufpack_init(&p, &b);
	bufpack_map(&p, f->run->head_us ? 5 : 4);
	pack_head(&p, f->run->attempt, state);
	if (f->run->head_us)
		pack_time(&p, "started", started_us(f));
	pack_time(&p, "finished", future_finished_us(f));
	pack_error(&p, f);
	extra_next_run(f);
	if (bufpack_error(&p) < 0 ||
		payload_new(buf_head(&b), buf_used(&b), NULL, 0, &map, &reason) != 0)
		return NULL;
	*ret_bytes = payload_charge_bytes(map);
	return map;
}

static unsigned n_kept(const struct future *f)
{
	return future_terms(f) ? future_terms(f)->n_kept : 0;
}

unsigned attempts_count(const struct future *f)
{
	if (f->run->head_us)
		return f->run->attempt;
	return future_terms(f) ? future_terms(f)->n_ended : 0;
}

unsigned attempts_current(const struct future *f)
{
	unsigned n = attempts_count(f);

	if (!f->run->head_us && !future_state_is_final(f->state))
		n++;
	return n ? n : 1;
}

void attempts_pack(struct bufpack *p, const struct future *f)
{
	bool is_final = future_state_is_final(f->state);
	const struct attempt *a;

	bufpack_array(p, n_kept(f) + (f->run->head_us != 0));
	if (n_kept(f))
		STAILQ_FOREACH (a, &future_terms(f)->attempts, next)
			bufpack_raw(p, a->details->bytes, a->details->len);
	if (!f->run->head_us)
		return;
	bufpack_map(p, 3u + is_final);
	pack_head(p, f->run->attempt, f->state);
	pack_time(p, "started", started_us(f));
	if (is_final)
		pack_time(p, "finished", future_finished_us(f));
}

/* The details in the map of an attempt that ended `lost`. */
static bool find_death(const struct attempt *a, struct cursor *ret)
{
	const char *word;
	struct cursor c;
	size_t len;
	uint32_t n;

	return failure_find_detail(a->details, "state", &c) && cursor_text(&c, &word, &len) &&
	       text_equal(word, len, outcome_state_name(OUTCOME_LOST)) &&
	       failure_find_detail(a->details, "error", &c) && cursor_array(&c, &n) &&
	       cursor_skip(&c, NULL) && cursor_skip(&c, NULL) && cursor_skip(&c, ret);
}

void attempts_pack_deaths(struct bufpack *p, const struct future *f)
{
	const struct attempt *a;
	struct cursor death;
	size_t n = 0;

	if (n_kept(f))
		STAILQ_FOREACH (a, &future_terms(f)->attempts, next)
			n += find_death(a, &death);
	bufpack_array(p, n);
	if (n)
		STAILQ_FOREACH (a, &future_terms(f)->attempts, next)
			if (find_death(a, &death))
				bufpack_raw(p, death.p, cursor_len(&death));
}
