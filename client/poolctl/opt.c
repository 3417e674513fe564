#include "client/poolctl/opt.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "proto/quantity.h"

/* More options than any verb has, its own and the global ones together. */
#define OPT_MAX	    64
#define OPT_HELP_AT 32 /* column where the help of an option starts */
/* getopt_long() returns this plus the index of the option: beyond every letter. */
#define OPT_FIRST 256

struct parser {
	const struct opt *opts[OPT_MAX];
	void *values[OPT_MAX];
	struct option longs[OPT_MAX + 1];
	char shorts[2 * OPT_MAX + 3];
	size_t n;
};

size_t opt_count(const struct opt *opts)
{
	size_t n = 0;

	while (opts[n].name)
		n++;
	return n;
}

static void add_option(struct parser *p, const struct opt *o, void *values, char **shorts)
{
	p->opts[p->n] = o;
	p->values[p->n] = values;
	p->longs[p->n] = (struct option){
		.name = o->name,
		.has_arg = o->arg ? required_argument : no_argument,
		.val = OPT_FIRST + (int)p->n,
	};
	p->n++;
	if (!o->letter)
		return;
	*(*shorts)++ = o->letter;
	if (o->arg)
		*(*shorts)++ = ':';
}

static int build_parser(struct parser *p, const struct opt_set *sets, size_t n_sets, bool stop)
{
	char *shorts = p->shorts;
	size_t i, j;

	*p = (struct parser){0};
	shorts = p->shorts;
	if (stop)
		*shorts++ = '+';
	*shorts++ = ':';
	for (i = 0; i < n_sets; i++) {
		if (p->n + opt_count(sets[i].opts) > OPT_MAX)
			return -ENOBUFS;
		for (j = 0; sets[i].opts[j].name; j++)
			add_option(p, &sets[i].opts[j], sets[i].values, &shorts);
	}
	return 0;
}

/* The index of what getopt_long() returned; p->n if it is none. */
static size_t find_option(const struct parser *p, int c)
{
	size_t i;

	if (c >= OPT_FIRST)
		return (size_t)(c - OPT_FIRST);
	for (i = 0; i < p->n && p->opts[i]->letter != c; i++)
		;
	return i;
}

static bool read_integer(const char *text, int64_t min, int64_t max, struct opt_number *ret)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		return false;
	*ret = (struct opt_number){true, value};
	return true;
}

static int append_item(struct opt_list *list, const char *item)
{
	const char **items = reallocarray(list->items, list->n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[list->n++] = item;
	list->items = items;
	return 0;
}

/* "12,13": 0, 1 if one is none, -ENOMEM. */
static int append_ids(struct opt_ids *list, const char *text)
{
	uint64_t *ids;
	char *end;

	for (;; text = end + 1) {
		ids = reallocarray(list->ids, list->n + 1, sizeof(*ids));
		if (!ids)
			return -ENOMEM;
		list->ids = ids;
		errno = 0;
		ids[list->n] = strtoull(text, &end, 10);
		if (errno || *text < '0' || *text > '9' || (*end && *end != ',') || !ids[list->n])
			return 1;
		list->n++;
		if (!*end)
			return 0;
	}
}

/* 0, -ENOMEM, or 1 with *ret_wanted saying what the text should have been. */
static int store_value(const struct opt *o, void *values, const char *text, const char **ret_wanted)
{
	void *at = (char *)values + o->at;
	struct opt_time time;
	struct opt_size size;

	switch (o->kind) {
	case OPT_FLAG: *(bool *)at = true; return 0;
	case OPT_TEXT: *(const char **)at = text; return 0;
	case OPT_TIME:
		*ret_wanted = "a time such as 30s, 5min or 500ms";
		if (!quantity_time(text, &time.us))
			return 1;
		time.set = true;
		*(struct opt_time *)at = time;
		return 0;
	case OPT_SIZE:
		*ret_wanted = "a size such as 4096, 64K or 1M";
		if (!quantity_size(text, &size.bytes))
			return 1;
		size.set = true;
		*(struct opt_size *)at = size;
		return 0;
	case OPT_NUMBER:
		*ret_wanted = "a whole number of 32 bits";
		return !read_integer(text, INT32_MIN, INT32_MAX, at);
	case OPT_COUNT:
		*ret_wanted = "a whole number above 0";
		return !read_integer(text, 1, INT64_MAX, at);
	case OPT_LIST: return append_item(at, text);
	case OPT_IDS:
		*ret_wanted = "an ID, or several with commas between";
		return append_ids(at, text);
	}
	return 1;
}

static void say_wrong(struct opt_error *e, int c, char **argv)
{
	const char *last = argv[optind - 1];

	if (c == ':' && strncmp(last, "--", 2) == 0)
		snprintf(e->message, sizeof(e->message), "option %s needs an argument", last);
	else if (c == ':')
		snprintf(e->message, sizeof(e->message), "option -%c needs an argument", optopt);
	else if (optopt >= OPT_FIRST)
		snprintf(e->message, sizeof(e->message), "option %s takes no argument", last);
	else if (optopt)
		snprintf(e->message, sizeof(e->message), "unknown option -%c", optopt);
	else
		snprintf(e->message, sizeof(e->message), "unknown option %s", last);
}

int opt_parse(const struct opt_set *sets, size_t n_sets, bool stop, int argc, char **argv,
	int *ret_first, struct opt_error *ret_error)
{
	struct opt_error error = {""}, first = {""};
	struct parser p;
	const char *wanted = "";
	bool wrong = false;
	int c, r;
	size_t i;

	r = build_parser(&p, sets, n_sets, stop);
	if (r < 0)
		return r;
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, p.shorts, p.longs, NULL)) != -1) {
		i = c == '?' || c == ':' ? p.n : find_option(&p, c);
		if (i == p.n) {
			say_wrong(&error, c, argv);
			r = 1;
		} else {
			r = store_value(p.opts[i], p.values[i], optarg, &wanted);
			if (r > 0)
				snprintf(error.message, sizeof(error.message),
					"--%s: \"%.80s\" is not %s", p.opts[i]->name, optarg,
					wanted);
		}
		if (r < 0)
			return r;
		if (r > 0 && !wrong)
			first = error;
		wrong |= r > 0;
	}
	*ret_first = optind;
	if (wrong)
		*ret_error = first;
	return wrong;
}

void opt_release(const struct opt *opts, void *values)
{
	for (; values && opts->name; opts++) {
		if (opts->kind == OPT_LIST)
			free(((struct opt_list *)((char *)values + opts->at))->items);
		if (opts->kind == OPT_IDS)
			free(((struct opt_ids *)((char *)values + opts->at))->ids);
	}
}

void opt_help(const struct opt *opts, FILE *to)
{
	char head[80];

	for (; opts->name; opts++) {
		char letter[] = {'-', opts->letter, ',', '\0'};

		snprintf(head, sizeof(head), "  %3s --%s%s%s", opts->letter ? letter : "",
			opts->name, opts->arg ? " " : "", opts->arg ? opts->arg : "");
		if (strlen(head) < OPT_HELP_AT - 1)
			fprintf(to, "%-*s%s\n", OPT_HELP_AT, head, opts->help);
		else
			fprintf(to, "%s\n%*s%s\n", head, OPT_HELP_AT, "", opts->help);
	}
}

void opt_table(const struct opt *opts, const char *verb, FILE *to)
{
	for (; opts->name; opts++) {
		char letter[] = {'-', opts->letter, '\0'};

		fprintf(to, "%s\t%s\t--%s\t%s\t%s\n", verb, letter, opts->name,
			opts->arg ? opts->arg : "-", opts->help);
	}
}
