/* The daemon takes filters itself where it acts on futures. Where this program needs their IDs, or
 * their number for a question, it lists them page by page, the newest first, so that what is
 * submitted meanwhile stays out.
 */
#include "client/poolctl/filter.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/poolctl/output.h"
#include "proto/limits.h"

static bool is_given(const struct filter *f)
{
	return f->all || f->state || f->pool || f->group || f->label;
}

static json_t *unfinished(void)
{
	return json_pack(
		"[s, s, s, s, s]", "delayed", "blocked", "queued", "running", "cancelling");
}

static json_t *filter_json(const struct filter *f, bool only_unfinished)
{
	json_t *filter = json_pack("{s:s*, s:s*, s:s*, s:s*}", "state", f->state, "pool", f->pool,
		"group", f->group, "label", f->label);

	if (filter && only_unfinished && !f->state)
		json_object_set_new(filter, "state", unfinished());
	return filter;
}

int targets_parse(struct ctl *ctl, const struct filter *f, bool only_unfinished, int argc,
	char **argv, struct targets *ret)
{
	*ret = (struct targets){0};
	if (!is_given(f))
		return ids_parse(ctl, argc, argv, 1, INT_MAX, &ret->ids);
	if (argc > 0)
		return ctl_usage(ctl, "IDs and options that choose futures exclude each other");
	ret->filter = filter_json(f, only_unfinished);
	return ret->filter ? 0 : ctl_own_failure(ctl, -ENOMEM, NULL);
}

void targets_deinit(struct targets *t)
{
	ids_deinit(&t->ids);
	json_decref(t->filter);
}

json_t *targets_json(const struct targets *t)
{
	return t->filter ? json_deep_copy(t->filter) : ids_json(&t->ids);
}

/* ---- by list ---- */

/* The IDs of a page, oldest first, behind those of newer pages. */
static int append_page(struct ids *ids, const json_t *page)
{
	size_t n = json_array_size(page), i;
	uint64_t *more = reallocarray(ids->ids, ids->n + n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	ids->ids = more;
	for (i = n; i > 0; i--)
		ids->ids[ids->n++] = (uint64_t)json_integer_value(
			json_object_get(json_array_get(page, i - 1), "id"));
	return 0;
}

static int list_page(struct ctl *ctl, const json_t *filter, const struct ids *so_far, json_t **ret)
{
	json_t *page = json_deep_copy(filter);

	if (page && so_far->n > 0)
		json_object_set_new(
			page, "before", json_integer((json_int_t)so_far->ids[so_far->n - 1]));
	return ctl_ask(ctl, "list", json_pack("[o]", page), ret);
}

int targets_resolve(struct ctl *ctl, struct targets *t)
{
	json_t *page;
	size_t n = 1;
	int code, r;

	while (t->filter && n > 0) {
		code = list_page(ctl, t->filter, &t->ids, &page);
		if (code)
			return code;
		n = json_array_size(page);
		r = append_page(&t->ids, page);
		json_decref(page);
		if (r < 0)
			return ctl_own_failure(ctl, r, NULL);
	}
	return 0;
}

/* ---- asking ---- */

/* Reads up to the end of the line. */
static bool is_yes(void)
{
	int first = getchar(), c = first;

	while (c != '\n' && c != EOF)
		c = getchar();
	return first == 'y' || first == 'Y';
}

int targets_confirm(
	struct ctl *ctl, const struct filter *f, const struct targets *t, const char *verb)
{
	struct ids none = {0};
	json_t *page;
	size_t n;
	int code;

	if (!t->filter || f->yes || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return 0;
	code = list_page(ctl, t->filter, &none, &page);
	if (code)
		return code;
	n = json_array_size(page);
	json_decref(page);
	if (n == 0)
		return 0;
	fprintf(stderr, "%s %zu%s future%s? [y/N] ", verb, n,
		n >= PROTO_LIST_MAX ? " and more" : "", n == 1 ? "" : "s");
	fflush(stderr);
	if (is_yes())
		return 0;
	output_say("nothing was done");
	return EXITCODE_FALSE;
}
