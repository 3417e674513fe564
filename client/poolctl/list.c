/* list: pages from the newest back, each before the oldest ID of the last, until there are as many
 * as were asked for. */
#include <errno.h>
#include <string.h>

#include "client/poolctl/filter.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "client/poolctl/view.h"
#include "proto/limits.h"

struct args {
	struct filter filter;
	const char *columns;
	struct opt_time since;
	struct opt_number before, after, limit;
};

static const struct opt options[] = {
	FILTER_OPTIONS(struct args, filter),
	{'a', "all", NULL, "of all users (administrators)", OPT_FLAG,
		offsetof(struct args, filter.all)},
	{0, "since", "TIME", "only those handed in within this time", OPT_TIME,
		offsetof(struct args, since)},
	{0, "before", "ID", "only with lower IDs", OPT_COUNT, offsetof(struct args, before)},
	{0, "after", "ID", "only with higher IDs", OPT_COUNT, offsetof(struct args, after)},
	{'n', "limit", "N", "the newest N; default 1000", OPT_COUNT, offsetof(struct args, limit)},
	{'o', "output", "COLUMNS", "these columns, by name, with commas between", OPT_TEXT,
		offsetof(struct args, columns)},
	{0},
};

/* The first ones are shown if nobody says which. */
#define N_DEFAULT 7

static const struct view_field fields[] = {
	{"ID", "id", VIEW_NUMBER},
	{"STATE", "state", VIEW_TEXT},
	{"POOL", "pool", VIEW_TEXT},
	{"FUNCTION", "function", VIEW_TEXT},
	{"AGE", "submitted_ns", VIEW_AGE},
	{"RAN", "timing.run", VIEW_SPAN},
	{"LABEL", "label", VIEW_TEXT},
	{"GROUP", "group", VIEW_TEXT},
	{"OWNER", "owner", VIEW_NUMBER},
	{"PRIORITY", "priority", VIEW_NUMBER},
	{"ATTEMPT", "attempt", VIEW_NUMBER},
	{"PID", "worker_pid", VIEW_NUMBER},
	{"QUEUED", "timing.queued", VIEW_SPAN},
	{"IN", "bytes.in", VIEW_SIZE},
	{"OUT", "bytes.out", VIEW_SIZE},
	{"SUBMITTED", "submitted", VIEW_TEXT},
	{"STARTED", "started", VIEW_TEXT},
	{"FINISHED", "finished", VIEW_TEXT},
	{"ERROR", "error.message", VIEW_TEXT},
};

struct columns {
	struct view_field fields[2 * ARRAY_SIZE(fields)];
	size_t n;
};

static const struct view_field *find_field(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strlen(fields[i].title) == len && strncasecmp(fields[i].title, name, len) == 0)
			return &fields[i];
	}
	return NULL;
}

/* "id,state,group". */
static int read_columns(struct ctl *ctl, const char *text, struct columns *ret)
{
	const struct view_field *field;
	size_t len;

	*ret = (struct columns){.n = text ? 0 : N_DEFAULT};
	memcpy(ret->fields, fields, ret->n * sizeof(fields[0]));
	for (; text; text = text[len] ? text + len + 1 : NULL) {
		len = strcspn(text, ",");
		field = find_field(text, len);
		if (!field)
			return ctl_usage(ctl, "--output: \"%.*s\" is no column", (int)len, text);
		if (ret->n == ARRAY_SIZE(ret->fields))
			return ctl_usage(ctl, "--output: too many columns");
		ret->fields[ret->n++] = *field;
	}
	return 0;
}

static int print_ids(const json_t *futures)
{
	const json_t *future;
	size_t i;

	json_array_foreach (futures, i, future)
		output_line("%lld", (long long)json_integer_value(json_object_get(future, "id")));
	return 0;
}

static int print(struct ctl *ctl, const struct columns *columns, json_t *futures)
{
	int r;

	if (!ctl->json && ctl->quiet)
		return print_ids(futures);
	r = view_tidy_all(futures);
	if (r < 0)
		return r;
	if (!ctl->json)
		return view_table(futures, columns->fields, columns->n, !ctl->no_legend);
	output_document(json_pack("{s:O}", "futures", futures));
	return 0;
}

static json_t *make_filter(const struct args *a)
{
	const struct filter *f = &a->filter;
	json_t *since = a->since.set ? json_real(loop_unix_now() - (double)a->since.us / 1e6)
				     : NULL;

	return json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:o*, s:o*, s:o*}", "state", f->state,
		"pool", f->pool, "group", f->group, "label", f->label, "owner",
		f->all ? "all" : NULL, "since", since, "before",
		a->before.set ? json_integer(a->before.value) : NULL, "after",
		a->after.set ? json_integer(a->after.value) : NULL);
}

/* The next page: at most n of those before the oldest of *futures, which come in front. */
static int ask_page(struct ctl *ctl, json_t *filter, size_t n, json_t **futures)
{
	json_t *oldest = json_object_get(json_array_get(*futures, 0), "id"), *page = NULL;
	int code;

	n = n < PROTO_LIST_MAX ? n : PROTO_LIST_MAX;
	if (json_object_set_new(filter, "limit", json_integer((json_int_t)n)) < 0 ||
		(oldest && json_object_set(filter, "before", oldest) < 0))
		return ctl_own_failure(ctl, -ENOMEM, NULL);
	code = ctl_ask(ctl, "list", json_pack("[O]", filter), &page);
	if (code)
		return code;
	if (json_array_extend(page, *futures) < 0) {
		json_decref(page);
		return ctl_own_failure(ctl, -ENOMEM, NULL);
	}
	json_decref(*futures);
	*futures = page;
	return 0;
}

/* A page may have fewer than asked for, though there are more: only an empty one is the last. */
static int ask_all(struct ctl *ctl, json_t *filter, size_t most, json_t **futures)
{
	size_t n = 0, before;
	int code;

	do {
		before = n;
		code = ask_page(ctl, filter, most - n, futures);
		n = json_array_size(*futures);
	} while (code == 0 && n > before && n < most);
	return code;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	struct columns columns;
	json_t *filter, *futures;
	int code, r = 0;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code == 0)
		code = read_columns(ctl, a->columns, &columns);
	if (code)
		return code;
	filter = make_filter(a);
	futures = json_array();
	code = ask_all(
		ctl, filter, a->limit.set ? (size_t)a->limit.value : PROTO_LIST_MAX, &futures);
	if (code == 0)
		r = print(ctl, &columns, futures);
	json_decref(futures);
	json_decref(filter);
	return r < 0 ? ctl_own_failure(ctl, r, NULL) : code;
}

const struct verb verb_list = {
	.name = "list",
	.alias = "ls",
	.operands = "",
	.doc = "List your futures, the newest last",
	.more = "With --quiet it prints IDs alone. Columns: id, state, pool, function, age, ran, "
		"label, "
		"group,\n"
		"owner, priority, attempt, pid, queued, in, out, submitted, started, finished, "
		"error.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
