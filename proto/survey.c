/* The IDs are kept sorted, so that each is found by halves however often it is named: those of one
 * request come in ascending order as a rule, and then nothing is moved. No memory is allocated, and
 * what is over a limit ends the walk.
 */
#include "proto/survey.h"

#include <string.h>

#include "proto/lead.h"

/* The ID's place, or that where it belongs. */
static unsigned place_of(const struct survey *s, uint64_t id)
{
	unsigned from = 0, to = s->n_ids;

	if (to == 0 || s->ids[to - 1] < id)
		return to;
	while (from < to) {
		unsigned middle = from + (to - from) / 2;

		if (s->ids[middle] < id)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static int add_id(struct survey *s, uint64_t id)
{
	unsigned at;

	if (id >= PROTO_ID_END)
		return SURVEY_E_ID;
	at = place_of(s, id);
	if (at < s->n_ids && s->ids[at] == id)
		return 0;
	if (s->n_ids == PROTO_JOB_VALUES)
		return SURVEY_E_MANY;
	memmove(&s->ids[at + 1], &s->ids[at], (s->n_ids - at) * sizeof(*s->ids));
	s->ids[at] = id;
	s->n_ids++;
	return 0;
}

static int see_ext(struct survey *s, int8_t type, const uint8_t *payload, uint64_t n)
{
	if (type == PROTO_EXT_FD || type == PROTO_EXT_VALUE)
		s->has_fds = true;
	if (type != PROTO_EXT_FUTURE)
		return 0;
	return n == 8 ? add_id(s, lead_number(payload, 8)) : SURVEY_E_ID;
}

int survey_value(struct survey *s, struct cursor *c, uint64_t *ids)
{
	uint64_t left[PROTO_VALUE_DEPTH];
	const uint8_t *p = c->p, *end = c->end;
	unsigned depth = 0;
	int r = 0;

	*s = (struct survey){.ids = ids};
	do {
		const struct lead *lead;
		uint64_t n;
		size_t head;

		if (p >= end)
			return SURVEY_E_BYTES;
		lead = &lead_table[*p];
		head = 1u + lead->width + (lead->kind == LEAD_EXT);
		if (lead->kind == LEAD_NONE || (size_t)(end - p) < head)
			return SURVEY_E_BYTES;
		n = lead_n(lead, p);
		p += head;
		if (n > (size_t)(end - p))
			return SURVEY_E_BYTES;
		if (lead->kind == LEAD_ARRAY || lead->kind == LEAD_MAP) {
			if (depth + 1 > s->depth)
				s->depth = depth + 1;
			if (depth == PROTO_VALUE_DEPTH)
				return SURVEY_E_DEEP;
			if (n > 0) {
				left[depth++] = n;
				continue;
			}
		} else {
			if (lead->kind == LEAD_EXT)
				r = see_ext(s, (int8_t)p[-1], p, n);
			if (r)
				return r;
			p += n;
		}
		while (depth > 0 && --left[depth - 1] == 0)
			depth--;
	} while (depth > 0);
	s->value = (struct cursor){c->p, p};
	c->p = p;
	return 0;
}
